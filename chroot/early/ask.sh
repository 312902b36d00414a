# Leases: asking for them, and what the real system gets to know of it. Sourcing this runs nothing.
# shellcheck shell=sh
# network.sh sets these
# shellcheck disable=SC2154

# ask_by INTERFACE KIND
ask_by() {
	case $2 in dhcp | dhcp4) asked4="$asked4$1 " ;; esac
	case $2 in dhcp | dhcp6 | either6 | auto6) asked6="$asked6$1 " ;; esac
	mkdir -p "$ROOT/run/alchemy/ask6"
	case $2 in
	dhcp6) printf 'ia_na\n' >"$ROOT/run/alchemy/ask6/$1" ;;
	auto6) printf 'nodhcp6\n' >"$ROOT/run/alchemy/ask6/$1" ;;
	esac
}

# ask_interfaces: starts to ask for leases where there is a link
ask_interfaces() {
	for interface in $all; do
		is_in "$interface" "$asking" && continue
		is_in "$interface" "$asked4$asked6" || continue
		has_link "$interface" || continue
		asking="$asking$interface "
		! is_in "$interface" "$asked4" || ask_for_ipv4 "$interface"
		! is_in "$interface" "$asked6" || ask_for_ipv6 "$interface"
	done
}

# ask_for_ipv4 INTERFACE: every second, until there is a lease. More tries than there are seconds make one exchange of it,
# so that a server may take as long as it likes to answer the first.
ask_for_ipv4() {
	udhcpc -i "$1" -s /lib/alchemy/udhcpc -f -q -t "$((p_net_timeout + 1))" -T 1 \
		-O staticroutes -O search -O mtu -O hostname >>"$ROOT/run/alchemy/dhcp.log" 2>&1 &
	pids="$pids $!"
}

# ask_for_ipv6 INTERFACE: router advertisements and DHCPv6, by the system's own dhcpcd, with its configuration: so that
# the node is known by the same identifiers (DUID, IAID) and has the same addresses before and after the hand-over
ask_for_ipv6() {
	[ -e "$ROOT/new/sbin/dhcpcd" ] || {
		say "IPv6: $1 is not asked, as the system has no /sbin/dhcpcd"
		return
	}
	write_duid "$1"
	folder=$ROOT/run/alchemy/dhcpcd
	mkdir -p "$folder"
	cp "$early/dhcpcd" "$folder/hook"
	chmod 0755 "$folder/hook"
	{
		cat "$ROOT/new/etc/dhcpcd.conf"
		printf 'ipv6only\nnodelay\npersistent\n'
		[ ! -e "$ROOT/run/alchemy/ask6/$1" ] || cat "$ROOT/run/alchemy/ask6/$1"
	} >"$folder/$1.conf"
	chroot "$ROOT/new" /sbin/dhcpcd -B -f "/run/alchemy/dhcpcd/$1.conf" -c /run/alchemy/dhcpcd/hook "$1" \
		>>"$ROOT/run/alchemy/dhcp.log" 2>&1 &
	solicited="$solicited $1:$!:$now"
}

# solicit_again: dhcpcd looks for routers for 16 seconds, which a switch's spanning tree outlasts
solicit_again() {
	pending=$solicited
	solicited=''
	for entry in $pending; do
		interface=${entry%%:*}
		if [ -e "$ROOT/run/alchemy/router6/$interface" ]; then
			continue
		elif [ "$now" -lt "$((${entry##*:} + 16))" ]; then
			solicited="$solicited $entry"
		else
			pid=${entry%:*}
			! kill -HUP "${pid##*:}" 2>/dev/null || solicited="$solicited ${entry%:*}:$now"
		fi
	done
}

# write_duid INTERFACE: the node's DUID-LL (RFC 8415, 11.4), where there is none: it is the same one at each boot
write_duid() {
	duid=$ROOT/new/var/lib/dhcpcd/duid
	[ ! -e "$duid" ] || return 0
	mkdir -p "${duid%/*}"
	read_address "$1"
	type=$(printf '%04x' "$(cat "$ROOT/sys/class/net/$1/type")")
	printf '00:03:%s:%s:%s\n' "${type%??}" "${type#??}" "$hardware_address" >"$duid"
}

# The real system finds the resolver and the names as they are here, and leaves alone what was set up by hand; what the
# command line says goes before what the network says.
carry_network_over() {
	[ ! -e "$ROOT/etc/resolv.conf" ] || cp "$ROOT/etc/resolv.conf" "$ROOT/new/etc/resolv.conf"
	for server in $user_servers; do
		printf 'nameserver %s\n' "$server" >>"$ROOT/new/etc/resolv.conf.head"
	done
	configuration=$ROOT/new/etc/dhcpcd.conf
	# no server is told a name, unless it is one that somebody chose
	[ -z "$user_name" ] || printf 'hostname_short\nnohook hostname\n' >>"$configuration"
	alone=''
	for interface in $all; do
		if is_member "$interface"; then
			alone="$alone $interface"
		elif is_in "$interface" "$static$left_alone " && ! is_in "$interface" "$asked4$asked6"; then
			alone="$alone $interface"
		fi
	done
	[ -z "$alone" ] || printf 'denyinterfaces%s\n' "$alone" >>"$configuration"
	for interface in $asking; do
		options=$(own_options "$interface")
		[ -z "$options" ] || printf 'interface %s\n%s\n' "$interface" "$options" >>"$configuration"
	done
}

# own_options INTERFACE: what dhcpcd.conf has to say of one that is asked
own_options() {
	if is_in "$1" "$static "; then
		is_in "$1" "$asked4" || printf 'noipv4\n'
		is_in "$1" "$asked6" || printf 'noipv6\n'
	fi
	[ ! -e "$ROOT/run/alchemy/mtu/$1" ] || printf 'nooption interface_mtu\n'
	[ ! -e "$ROOT/run/alchemy/ask6/$1" ] || cat "$ROOT/run/alchemy/ask6/$1"
}
