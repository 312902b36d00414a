# The grammar of ip=: dracut.cmdline(7), and the kernel's own (Documentation/admin-guide/nfs/nfsroot.rst), which pxelinux
# and MAAS write. Sourcing this runs nothing.
# shellcheck shell=sh
# network.sh uses what is set here
# shellcheck disable=SC2034

# read_ip SPEC: adds a line to $records for what one ip= asks for:
#
#   DEVICE|KIND|ADDRESS|BITS|PEER|GATEWAY|MTU|MAC
#
# DEVICE is a name, a MAC, BOOTIF, `*` for every interface, or `-` for the first one with a link. KIND is static, dhcp,
# dhcp4, dhcp6 (DHCPv6), either6 (as the router says), auto6 (router advertisements alone), link (link-local) or off.
# $user_name and $user_servers get the host name and the name servers. What is not understood is said, and not done.
read_ip() {
	spec=$1
	rest=$1:
	device='' kind='' address='' bits='' peer='' gateway='' mtu='' mac=''
	set --
	while [ -n "$rest" ]; do
		take_field
		set -- "$@" "$field"
	done
	if [ $# -eq 1 ] && is_method "$1"; then
		read_method 1 "$1"
		device='*'
	elif [ $# -ge 2 ] && [ -n "$1" ] && [ -n "$2" ] && is_method "$2"; then
		is_device "$1" || refuse 1 "$1" 'not an interface' || return
		device=$1
		read_method 2 "$2"
		shift 2
		read_tail 3 "$@"
	else
		read_long "$@" || return
		[ $# -le 7 ] || {
			shift 7
			read_tail 8 "$@"
		}
	fi
	records="$records$device|$kind|$address|$bits|$peer|$gateway|$mtu|$mac
"
}

# take_field: moves the first field of $rest to $field; an IPv6 address in brackets is one, with the prefix behind them
take_field() {
	field=''
	case $rest in
	'['*']'*)
		field=${rest%%]*}
		field=${field#'['}
		rest=${rest#*]}
		;;
	esac
	field=$field${rest%%:*}
	rest=${rest#*:}
}

# refuse NUMBER VALUE PROBLEM: says what is wrong with a field
refuse() {
	say "ip=$spec: field $1 \"$2\": $3"
	return 1
}

is_method() {
	case $1 in
	dhcp | dhcp4 | on | any | both | auto | single-dhcp | dhcp6 | either6 | auto6 | ra6 | link6 | link-local) ;;
	none | off | static | disabled | bootp | rarp | ibft | shared) ;;
	*) return 1 ;;
	esac
}

read_method() {
	case $2 in
	on | any | both | auto | single-dhcp) kind=dhcp ;;
	dhcp | dhcp4 | dhcp6 | either6 | auto6) kind=$2 ;;
	ra6) kind=auto6 ;;
	link6 | link-local) kind='link' ;;
	none | off | static | disabled) kind=off ;;
	*)
		refuse "$1" "$2" 'not supported: DHCP is asked' || kind=dhcp
		;;
	esac
}

is_device() {
	is_mac "$1" || is_interface_name "$1"
}

# read_long [ADDRESS]:[PEER]:[GATEWAY]:[NETMASK]:[HOSTNAME]:[DEVICE]:[METHOD], which may end early
read_long() {
	case ${7-} in
	'') ;;
	*)
		is_method "$7" || refuse 7 "$7" 'not a method (none, dhcp, dhcp6, auto6, …)' || return
		read_method 7 "$7"
		;;
	esac
	case ${6-} in
	'') ;;
	*)
		is_device "$6" || refuse 6 "$6" 'not an interface' || return
		device=$6
		;;
	esac
	case ${5-} in
	'') ;;
	*) if is_host_name "$5"; then user_name=$5; else refuse 5 "$5" 'not a host name'; fi ;;
	esac
	case ${1-}:$kind in
	:* | 0.0.0.0: | 0.0.0.0:*)
		kind=${kind:-dhcp}
		device=${device:-*}
		note_unused "$@"
		;;
	*: | *:off)
		kind=static
		device=${device:--}
		read_static "$@"
		;;
	*)
		device=${device:-*}
		note_unused "$@"
		;;
	esac
}

# note_unused FIELDS: the addresses that make no sense with the method
note_unused() {
	number=1
	while [ "$number" -le 4 ] && [ $# -gt 0 ]; do
		case $1 in
		'' | 0.0.0.0) ;;
		*) refuse "$number" "$1" "not used with $kind" ;;
		esac
		number=$((number + 1))
		shift
	done
	return 0
}

# read_static FIELDS: without its address and its netmask there is no network; without the others there is one
read_static() {
	address=${1%%/*}
	case $1 in */*) bits=${1#*/} ;; esac
	if is_ipv4 "$address"; then
		most=32 default=24
	elif is_ipv6 "$address"; then
		most=128 default=64
	else
		refuse 1 "$1" 'not an address' || return
	fi
	case $bits:${4-} in
	*: | :*) ;;
	*) refuse 4 "$4" 'the address has a prefix length already' || return ;;
	esac
	case ${4-} in
	'') ;;
	*.*) bits=$([ "$most" = 32 ] && prefix "$4") || refuse 4 "$4" 'not a netmask' || return ;;
	*) bits=$4 ;;
	esac
	[ "$1" = "$address" ] || [ -n "$bits" ] || refuse 1 "$1" 'not an address' || return
	bits=${bits:-$default}
	{ is_number "$bits" "$most" && [ "$bits" -gt 0 ]; } || refuse 4 "$bits" 'not a netmask' || return
	case ${2-} in
	'' | 0.0.0.0 | ::) ;;
	*) if is_like "$2"; then peer=$2; else refuse 2 "$2" "not an address like $address"; fi ;;
	esac
	case ${3-} in
	'' | 0.0.0.0 | ::) ;;
	*) if is_like "$3"; then gateway=$3; else refuse 3 "$3" "not an address like $address"; fi ;;
	esac
	return 0
}

# whether it is of the address's own family
is_like() {
	if [ "$most" = 32 ]; then is_ipv4 "$1"; else is_ipv6 "$1"; fi
}

# read_tail NUMBER FIELDS: [MTU][:MAC], or [DNS][:DNS][:NTP]; a MAC with colons takes six fields
read_tail() {
	number=$1
	first=$1
	shift
	case $address$kind in *:* | *6) least=1280 ;; *) least=576 ;; esac
	while [ $# -gt 0 ]; do
		if [ $# -ge 6 ] && is_mac "$1:$2:$3:$4:$5:$6"; then
			read_mac "$1:$2:$3:$4:$5:$6"
			number=$((number + 5))
			shift 5
		elif is_mac "$1"; then
			read_mac "$1"
		elif [ -z "$1" ] || [ "$1" = 0.0.0.0 ]; then
			:
		elif [ "$number" = "$first" ] && is_mtu "$1" "$least"; then
			mtu=$1
		elif [ "$number" -gt $((first + 1)) ] && is_address "$1"; then
			refuse "$number" "$1" 'time servers are not taken from here'
		elif is_server "$1"; then
			user_servers="$user_servers $1"
		elif [ "$number" = "$first" ]; then
			refuse "$number" "$1" "neither an MTU ($least to 65535) nor an address"
		else
			refuse "$number" "$1" 'neither a MAC nor an address'
		fi
		number=$((number + 1))
		shift
	done
	return 0
}

read_mac() {
	if is_station "$1"; then
		mac=$(plain_mac "$1")
	else
		refuse "$number" "$1" 'not a MAC that an interface can have'
	fi
}
