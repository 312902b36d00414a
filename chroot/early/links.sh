# Bonds and VLANs. Sourcing this runs nothing.
# shellcheck shell=sh
# network.sh sets these
# shellcheck disable=SC2154

# read_bond NAME[:IF,IF[:OPTION=VALUE,…[:MTU]]]: sets $name, $members, $options, $mtu, and $rest to what is behind them
read_bond() {
	rest=$1:
	take_field
	name=$field
	take_field
	members=${field:-eth0,eth1}
	take_field
	options=${field:-mode=balance-rr,miimon=100}
	take_field
	mtu=$field
}

# make_bond SPEC: options are those of the kernel's Documentation/networking/bonding.rst. Interfaces that are not there
# are members as soon as they come (add_members).
make_bond() {
	read_bond "$1"
	is_interface_name "$name" || {
		say "bond=$1: \"$name\": not an interface name"
		return 1
	}
	[ -z "$mtu" ] || is_mtu "$mtu" || {
		say "bond=$1: field 4 \"$mtu\": not an MTU (576 to 65535)"
		mtu=''
	}
	[ -z "$rest" ] || say "bond=$1: field 5 \"${rest%:}\": not known"
	bond=$ROOT/sys/class/net/$name/bonding
	[ -d "$bond" ] || printf '+%s' "$name" >"$ROOT/sys/class/net/bonding_masters" || {
		say "bond: $name: cannot be made"
		return 1
	}
	ip link set "$name" down
	for option in $(printf '%s' "$options" | tr ',' ' '); do
		case ${option%%=*} in
		*/* | '') say "bond: $name: unknown option: $option" ;;
		# several targets have a semicolon between them, and the file takes one at a time
		arp_ip_target | ns_ip6_target)
			for target in $(printf '%s' "${option#*=}" | tr ';' ' '); do
				set_option "${option%%=*}" "+$target"
			done
			;;
		*) set_option "${option%%=*}" "${option#*=}" ;;
		esac
	done
	case $options in *arp_interval=*) ;; *) [ "$(cat "$bond/miimon")" != 0 ] || printf 100 >"$bond/miimon" ;; esac
	[ -z "$mtu" ] || set_mtu "$name" "$mtu" "bond=$1"
	add_members "$1"
	ip link set "$name" up
}

# set_option NAME VALUE
set_option() {
	printf '%s' "$2" 2>/dev/null >"$bond/$1" || say "bond: $name: does not take $1=${2#+}"
}

# add_members SPEC: those that are there and in no bond yet
add_members() {
	read_bond "$1"
	for member in $(printf '%s' "$members" | tr ',' ' '); do
		resolve "$member" || continue
		! is_member "$found" || continue
		# refused once is refused for good
		is_in "$name/$found" "$tried" && continue
		tried="$tried$name/$found "
		# the kernel takes a member only when it is down
		if ! { ip link set "$found" down && printf '+%s' "$found" >"$ROOT/sys/class/net/$name/bonding/slaves"; }; then
			say "bond: $name: cannot take $found"
		fi
	done
}

# say_missing_members SPEC
say_missing_members() {
	read_bond "$1"
	for member in $(printf '%s' "$members" | tr ',' ' '); do
		resolve "$member" || say "bond: $name: there is no interface $member$(list_interfaces)"
	done
}

# make_vlan NAME:IF, NAME being vlan5, vlan0005, eth0.5 or eth0.0005. Fails as long as IF is not there.
make_vlan() {
	name=${1%%:*}
	link=${1#*:}
	id=${name##*[!0-9]}
	while :; do
		case $id in 0?*) id=${id#0} ;; *) break ;; esac
	done
	if ! is_interface_name "$name" || [ "$id" = "$name" ]; then
		say "vlan=$1: \"$name\": not a name with the VLAN's number at its end"
	elif ! is_number "$id" 4094 || [ "$id" = 0 ]; then
		say "vlan=$1: \"$id\": not a VLAN's number (1 to 4094)"
	elif ! is_device "$link"; then
		say "vlan=$1: \"$link\": not an interface"
	elif ! resolve "$link"; then
		return 1
	elif ! { ip link add link "$found" name "$name" type vlan id "$id" && ip link set "$name" up; }; then
		say "vlan: $1: cannot be made"
	fi
}
