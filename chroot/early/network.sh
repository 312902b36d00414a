# The network of the preliminary init. Sourcing this runs nothing.
# shellcheck shell=sh
# parse_cmdline sets the p_ variables by way of eval, and other files use them
# shellcheck disable=SC2154,SC2034

# the network interfaces that are hardware, or stand for it, BOOTIF's first
interfaces() {
	boot_mac=$(boot_mac)
	for pass in first rest; do
		for interface in "$ROOT"/sys/class/net/*; do
			[ -e "$interface/device" ] || continue
			mac=$(cat "$interface/address")
			case $pass:$mac in
			first:"$boot_mac") ;;
			rest:"$boot_mac" | first:*) continue ;;
			esac
			printf '%s\n' "${interface##*/}"
		done
	done
}

# BOOTIF is the hardware type, a dash, and the MAC with dashes; iPXE's hexhyp has the MAC only
boot_mac() {
	printf '%s\n' "$p_BOOTIF" | tr 'A-F-' 'a-f:' | sed -n 's/^\(01:\)\{0,1\}\(\([0-9a-f]\{2\}:\)\{5\}[0-9a-f]\{2\}\)$/\2/p'
}

has_link() {
	[ "$(cat "$ROOT/sys/class/net/$1/carrier" 2>/dev/null)" = 1 ]
}

# start_network: what ip=, vlan=, bond= ask for, else DHCP on every interface. It takes net_timeout seconds at most.
start_network() {
	deadline=$(($(uptime_seconds) + p_net_timeout))
	[ -n "$(interfaces)" ] || say 'net: there is no network interface'
	for interface in $(interfaces); do
		ip link set "$interface" up || say "net: $interface does not come up"
	done
	for spec in $p_bond; do make_bond "$spec"; done
	for spec in $p_vlan; do make_vlan "$spec"; done
	static=''
	for spec in $p_ip; do set_static "$spec"; done
	[ -z "$p_hostname" ] || set_hostname "$p_hostname"
	first=$(by_bootif)
	for interface in $(dhcp_interfaces); do
		if [ "$interface" = "$first" ]; then
			# the others need their time, should nobody answer here; and `wait` is not for its IPv6
			(ask_for_lease "$interface" "$((deadline - p_net_timeout / 2))")
		else
			ask_for_lease "$interface" "$deadline" &
		fi
	done
	wait
	for server in $p_nameserver; do add_nameserver "$server"; done
	report_network
	carry_network_over
}

uptime_seconds() {
	read -r now _ <"$ROOT/proc/uptime"
	printf '%s\n' "${now%.*}"
}

# the interface that BOOTIF names, if there is one
by_bootif() {
	[ -z "$(boot_mac)" ] || interfaces | head -n 1
}

# Which interfaces to ask for leases on: those that ip= names, all if it says dhcp without a name or isn't there at
# all. A static one is not asked, nor is one that belongs to a bond.
dhcp_interfaces() {
	wanted='' all=''
	for spec in $p_ip; do
		case $spec in
		dhcp | on | any | dhcp6 | either6) all=yes ;;
		*:dhcp | *:on | *:any | *:dhcp6 | *:either6 | *:dhcp:* | *:on:* | *:any:* | *:dhcp6:* | *:either6:*)
			wanted="$wanted $(dhcp_interface_of "$spec")"
			;;
		esac
	done
	[ -n "$wanted$static" ] || all=yes
	[ -z "$all" ] || wanted="$(interfaces) $(virtual_interfaces)"
	for interface in $wanted; do
		case " $static " in *" $interface "*) continue ;; esac
		if [ ! -e "$ROOT/sys/class/net/$interface" ]; then
			say "ip: there is no interface $interface"
		elif [ ! -e "$ROOT/sys/class/net/$interface/master" ]; then
			printf '%s\n' "$interface"
		fi
	done
}

# the interface of ip=IF:dhcp:MTU:MAC, or of the long form that ends in IF:dhcp
dhcp_interface_of() {
	case $(field 2 "$1") in
	dhcp | on | any | dhcp6 | either6) field 1 "$1" ;;
	*) field 6 "$1" ;;
	esac
}

# the bonds and VLANs that were made
virtual_interfaces() {
	for spec in $p_bond $p_vlan; do
		[ ! -e "$ROOT/sys/class/net/${spec%%:*}" ] || printf '%s\n' "${spec%%:*}"
	done
}

# ask_for_lease INTERFACE DEADLINE: IPv4, and IPv6 beside it, as soon as there is a link
ask_for_lease() {
	until has_link "$1"; do
		[ "$(uptime_seconds)" -lt "$2" ] || return 1
		usleep 200000
	done
	left=$(($2 - $(uptime_seconds) + 1))
	timeout 10 udhcpc6 -i "$1" -s /lib/alchemy/udhcpc -n -q -f -t 3 -T 2 >/dev/null 2>&1 &
	timeout "$left" udhcpc -i "$1" -s /lib/alchemy/udhcpc -n -q -f -t 20 -T 2 \
		-O staticroutes -O search -O mtu -O hostname >/dev/null 2>&1
}

# make_bond NAME[:IF,IF[:OPTION=VALUE,…]]: options are those of the kernel's Documentation/networking/bonding.rst
make_bond() {
	name=$(field 1 "$1")
	members=$(field 2 "$1")
	options=$(printf '%s' "$1" | cut -s -d : -f 3-)
	bond=$ROOT/sys/class/net/$name/bonding
	[ -d "$bond" ] || printf '+%s' "$name" >"$ROOT/sys/class/net/bonding_masters" || {
		say "bond: $name: cannot be made"
		return 1
	}
	ip link set "$name" down
	for option in $(printf '%s' "${options:-mode=balance-rr,miimon=100}" | tr ',' ' '); do
		case ${option%%=*} in */* | '') continue ;; esac
		printf '%s' "${option#*=}" 2>/dev/null >"$bond/${option%%=*}" || say "bond: $name: does not take $option"
	done
	[ "$(cat "$bond/miimon")" != 0 ] || printf 100 >"$bond/miimon"
	for member in $(printf '%s' "${members:-eth0,eth1}" | tr ',' ' '); do
		# the kernel takes a member only when it is down
		if ! { ip link set "$member" down && printf '+%s' "$member" >"$bond/slaves"; }; then
			say "bond: $name: cannot take $member"
		fi
	done
	ip link set "$name" up
}

# make_vlan NAME:IF, NAME being vlan5, vlan0005, eth0.5 or eth0.0005
make_vlan() {
	name=$(field 1 "$1")
	link=$(field 2 "$1")
	id=$(printf '%s' "$name" | sed -n 's/^.*[^0-9]0*\([0-9][0-9]*\)$/\1/p')
	if ! { ip link add link "$link" name "$name" type vlan id "${id:-none}" && ip link set "$name" up; }; then
		say "vlan: $1: cannot be made"
	fi
}

# set_static ADDRESS:[PEER]:[GATEWAY]:NETMASK:[HOSTNAME]:IF:none[:MTU or DNS…]; other forms of ip= are left alone
set_static() {
	spec=$(hide_colons "$1")
	# the long form, unless it asks for DHCP
	case $spec in *:*:*:*:*:*) ;; *) return ;; esac
	case $(field 2 "$spec"):$(field 7 "$spec") in
	dhcp:* | *:dhcp | *:on | *:any | *:dhcp6 | *:either6) return ;;
	esac
	address=$(field 1 "$spec")
	gateway=$(field 3 "$spec")
	mask=$(field 4 "$spec")
	name=$(field 5 "$spec")
	interface=$(field 6 "$spec")
	[ -n "$interface" ] || interface=$(interfaces | head -n 1)
	case $mask in *.*) mask=$(prefix "$mask") ;; esac
	case $address in *:*) mask=${mask:-64} ;; *) mask=${mask:-24} ;; esac
	if ! { ip address replace "$address/$mask" dev "$interface" && ip link set "$interface" up; }; then
		say "ip: $1: cannot be set"
		return 1
	fi
	[ -z "$gateway" ] || ip route replace default via "$gateway" dev "$interface" || say "ip: no route to $gateway"
	[ -z "$name" ] || set_hostname "$name"
	for extra in 8 9; do
		value=$(field "$extra" "$spec")
		case $value in
		'') ;;
		*.* | *:*) add_nameserver "$value" ;;
		*) ip link set "$interface" mtu "$value" || say "ip: $interface does not take the MTU $value" ;;
		esac
	done
	static="$static $interface"
	mkdir -p "$ROOT/run/alchemy/net"
	printf '%s\n' "$address" >"$ROOT/run/alchemy/net/$interface"
}

# field N SPEC: one of the fields between colons; an IPv6 address in brackets is one of them
field() {
	printf '%s:' "$(hide_colons "$2")" | cut -d : -f "$1" | tr ';' ':' | tr -d '[]'
}

# the colons inside [brackets] as semicolons
hide_colons() {
	printf '%s\n' "$1" | sed -e ':again' -e 's/\(\[[^]:]*\):\([^]]*\]\)/\1;\2/' -e 't again'
}

# the prefix length of a netmask
prefix() {
	bits=0
	for octet in $(printf '%s' "$1" | tr . ' '); do
		while [ "$octet" -gt 0 ]; do
			bits=$((bits + octet % 2))
			octet=$((octet / 2))
		done
	done
	printf '%s\n' "$bits"
}

set_hostname() {
	if hostname "$1"; then
		printf '%s\n' "$1" >"$ROOT/new/etc/hostname"
	else
		say "hostname: $1: not a name"
	fi
}

add_nameserver() {
	printf 'nameserver %s\n' "$1" >>"$ROOT/etc/resolv.conf"
}

report_network() {
	for interface in $(interfaces) $(virtual_interfaces); do
		if [ -s "$ROOT/run/alchemy/net/$interface" ]; then
			say "net: $interface has $(cat "$ROOT/run/alchemy/net/$interface")"
		elif [ -e "$ROOT/sys/class/net/$interface/master" ]; then
			say "net: $interface belongs to $(basename "$(readlink -f "$ROOT/sys/class/net/$interface/master")")"
		elif has_link "$interface"; then
			say "net: $interface has a link, but got no lease within $p_net_timeout s"
		else
			say "net: $interface has no link"
		fi
	done
}

# The real system finds the resolver and the names as they are here, and leaves alone what was set up by hand.
carry_network_over() {
	[ ! -e "$ROOT/etc/resolv.conf" ] || cp "$ROOT/etc/resolv.conf" "$ROOT/new/etc/resolv.conf"
	alone=$static
	for interface in $(interfaces); do
		[ ! -e "$ROOT/sys/class/net/$interface/master" ] || alone="$alone $interface"
	done
	[ -z "$alone" ] || printf 'denyinterfaces%s\n' "$alone" >>"$ROOT/new/etc/dhcpcd.conf"
}
