# The network of the preliminary init. Sourcing this runs nothing.
# shellcheck shell=sh
# parse_cmdline sets the p_ variables by way of eval, and other files use them
# shellcheck disable=SC2154,SC2034

# How long, once there is a lease, the interfaces that have a link and no answer are waited for: what the command line
# needs may be on their side, and a server that is well answers in a second, after its own look whether somebody has the
# address.
grace=2

# start_network: what ip=, vlan=, bond= ask for, else DHCP on every interface, also on those that come late. It ends as
# soon as nothing is to be waited for, and after net_timeout seconds at most.
start_network() {
	started=$(uptime_seconds)
	deadline=$((started + p_net_timeout))
	bonds=$p_bond vlans=$p_vlan
	raised=' ' taken=' ' asking=' ' asked4=' ' asked6=' ' tried=' ' static='' left_alone=''
	pids='' solicited='' leased_at='' announced='' boot_interface='' boot_address=''
	[ -z "$p_BOOTIF" ] || boot_address=$(boot_mac)
	read_parameters
	find_interfaces
	[ -n "$hardware" ] || say 'net: there is no network interface'
	while :; do
		now=$(uptime_seconds)
		raise_interfaces
		take_interfaces
		ask_interfaces
		! is_settled || break
		[ "$now" -lt "$deadline" ] || break
		solicit_again
		usleep 100000
	done
	stop_asking
	take_rest
	# shellcheck disable=SC2086 # names
	write_resolver $all
	waited=$((now - started))
	report_network
	carry_network_over
}

uptime_seconds() {
	read -r now _ <"$ROOT/proc/uptime"
	printf '%s\n' "${now%.*}"
}

# read_parameters: what ip=, nameserver= and hostname= say, as $records (ip.sh), $user_servers and $user_name; $everyone
# are the ways in which those interfaces are asked that ip= does not name
read_parameters() {
	records='' user_servers='' user_name='' everyone=''
	for server in $p_nameserver; do
		server=${server#'['}
		server=${server%']'}
		if is_server "$server"; then
			user_servers="$user_servers $server"
		else
			say "nameserver=$server: not an address"
		fi
	done
	for spec in $p_ip; do read_ip "$spec" || say "ip=$spec: ignored"; done
	named=''
	while IFS='|' read -r device kind _; do
		case $device:$kind in
		:) ;;
		'*:off') everyone=${everyone:-off} ;;
		'*:'*) everyone="$everyone $kind" ;;
		*:off) ;;
		*) named=yes ;;
		esac
	done <<-EOT
		$records
	EOT
	[ -n "$everyone$named" ] || everyone=dhcp
	[ -z "$p_hostname" ] || user_name=$p_hostname
	[ -z "$user_name" ] || {
		set_hostname "$user_name" && : >"$ROOT/run/alchemy/named" || user_name=''
	}
}

# raise_interfaces: sets up the interfaces that are new, and the bonds and VLANs that can be made of them
raise_interfaces() {
	find_interfaces
	for interface in $hardware; do
		is_in "$interface" "$raised" && continue
		raised="$raised$interface "
		ip link set "$interface" up || say "net: $interface does not come up"
	done
	find_boot_interface
	[ -n "$announced" ] || [ "$raised" = ' ' ] || announce_missing
	for spec in $bonds; do make_bond "$spec"; done
	bonds=''
	for spec in $p_bond; do
		[ ! -e "$ROOT/sys/class/net/${spec%%:*}/bonding" ] || add_members "$spec"
	done
	later=''
	for spec in $vlans; do make_vlan "$spec" || later="$later $spec"; done
	vlans=$later
	find_interfaces
}

# announce_missing: which interfaces are named and are not there; then all are asked, so that there is a way in
announce_missing() {
	announced=yes
	if [ -z "$p_BOOTIF" ] || [ -n "$boot_interface" ]; then
		:
	elif [ -z "$boot_address" ]; then
		say "BOOTIF=$p_BOOTIF: not a MAC address"
	else
		say "BOOTIF=$p_BOOTIF: no interface has this MAC$(list_interfaces)"
	fi
	missing=''
	while IFS='|' read -r device kind _; do
		case $device in '' | '*' | -) continue ;; esac
		case " $p_bond $p_vlan" in *" $device:"* | *" $device "*) continue ;; esac
		resolve "$device" || {
			say "ip: there is no interface $device$(list_interfaces)"
			missing=yes
		}
	done <<-EOT
		$records
	EOT
	[ -z "$missing" ] || [ -n "$everyone" ] || everyone=dhcp
}

# take_interfaces: does what ip= says of the interfaces that are there. A member of a bond has nothing of its own.
take_interfaces() {
	rest_of_records=''
	while IFS='|' read -r device kind address bits peer gateway mtu mac; do
		[ -n "$kind" ] || continue
		case $device in
		'*') continue ;;
		-) first_interface || found='' ;;
		*) resolve "$device" || found='' ;;
		esac
		if [ -n "$found" ]; then
			apply_record
		else
			rest_of_records="$rest_of_records$device|$kind|$address|$bits|$peer|$gateway|$mtu|$mac
"
		fi
	done <<-EOT
		$records
	EOT
	records=$rest_of_records
	for interface in $all; do
		is_in "$interface" "$taken$static$left_alone " && continue
		! is_member "$interface" || continue
		taken="$taken$interface "
		for kind in $everyone; do ask_by "$interface" "$kind"; done
	done
}

# apply_record: one line of $records, on $found
apply_record() {
	is_in "$found" "$taken" || taken="$taken$found "
	[ -z "$mac" ] || set_mac "$found" "$mac"
	[ -z "$mtu" ] || {
		mkdir -p "$ROOT/run/alchemy/mtu"
		printf '%s\n' "$mtu" >"$ROOT/run/alchemy/mtu/$found"
		set_mtu "$found" "$mtu" ip
	}
	case $kind in
	static) set_static ;;
	off) left_alone="$left_alone $found" ;;
	link)
		left_alone="$left_alone $found"
		printf 0 >"$ROOT/proc/sys/net/ipv6/conf/$found/accept_ra"
		;;
	*) ask_by "$found" "$kind" ;;
	esac
}

# the address of a record, on $found
set_static() {
	static="$static $found"
	if ! { ip address replace "$address/$bits" dev "$found" && ip link set "$found" up; }; then
		say "ip: $address/$bits cannot be set on $found"
		return 1
	fi
	case $address in *:*) most=128 ;; *) most=32 ;; esac
	# with a network of its own the peer is in it, or behind the gateway
	[ -z "$peer" ] || [ "$bits" != "$most" ] || add_route "$peer/$most" '' "$found"
	[ -z "$gateway" ] || add_route default "$gateway" "$found"
	mkdir -p "$ROOT/run/alchemy/net"
	printf '%s\n' "$address" >>"$ROOT/run/alchemy/net/$found"
}

# set_mac INTERFACE MAC: most drivers take it only when the interface is down
set_mac() {
	ip link set "$1" down
	ip link set "$1" address "$2" || say "ip: $1 does not take the MAC $2"
	ip link set "$1" up
}

# has_lease INTERFACE: whether it has all that is waited for: of the two families IPv4 is enough
has_lease() {
	if is_in "$1" "$asked4"; then
		[ -e "$ROOT/run/alchemy/done4/$1" ]
	else
		[ -e "$ROOT/run/alchemy/done6/$1" ]
	fi
}

# is_settled: whether there is nothing to wait for. With BOOTIF's lease there is not, and it is waited for where BOOTIF has
# a link, as a server has answered there a moment ago. Another lease gives those that have a link their $grace.
is_settled() {
	waiting=''
	for interface in $asking; do
		if has_lease "$interface"; then
			leased_at=${leased_at:-$now}
			[ "$interface" != "$boot_interface" ] || return 0
			continue
		fi
		# IPv6 alone may be all there is
		[ ! -e "$ROOT/run/alchemy/net6/$interface" ] || leased_at=${leased_at:-$now}
		! has_link "$interface" || waiting=yes
	done
	if [ -n "$leased_at" ]; then
		if is_in "$boot_interface" "$asked4$asked6"; then
			# its link was there a moment ago
			waiting=yes
			! has_link "$boot_interface" || [ -e "$ROOT/run/alchemy/net6/$boot_interface" ] || return
		fi
		[ -z "$waiting" ] || [ "$now" -ge "$((leased_at + grace))" ]
	else
		# nobody is asked, and nothing has to come
		[ "$asked4$asked6" = '  ' ] && [ -z "$records" ] && { [ -z "$everyone" ] || [ "$everyone" = off ]; }
	fi
}

# stop_asking: for IPv4; what is there stays. IPv6 goes on until the hand-over, as its time is the routers'.
stop_asking() {
	[ -n "$pids" ] || return 0
	# shellcheck disable=SC2086 # numbers
	kill $pids 2>/dev/null
	# shellcheck disable=SC2086 # numbers
	wait $pids
}

# take_rest: what waited for an interface that did not come
take_rest() {
	while IFS='|' read -r device kind address bits peer gateway mtu mac; do
		case $device:$hardware in -:?*) ;; *) continue ;; esac
		found=${hardware# }
		found=${found%% *}
		apply_record
	done <<-EOT
		$records
	EOT
	for spec in $p_bond; do say_missing_members "$spec"; done
	for spec in $vlans; do say "vlan=$spec: there is no interface ${spec#*:}$(list_interfaces)"; done
}

report_network() {
	for interface in $all; do
		# shellcheck disable=SC2046 # addresses
		set -- $(cat "$ROOT/run/alchemy/net/$interface" "$ROOT/run/alchemy/net6/$interface" 2>/dev/null)
		if [ $# -gt 0 ]; then
			addresses=$1
			shift
			for address; do addresses="$addresses, $address"; done
			say "net: $interface has $addresses"
		elif is_member "$interface"; then
			say "net: $interface belongs to $(basename "$(readlink -f "$ROOT/sys/class/net/$interface/master")")"
		elif ! is_in "$interface" "$asked4$asked6"; then
			say "net: $interface is not asked for a lease"
		elif has_link "$interface"; then
			say "net: $interface has a link, but got no lease within $waited s"
		else
			say "net: $interface has no link"
		fi
	done
}

