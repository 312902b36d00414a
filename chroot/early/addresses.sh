# What networks are described with: numbers, addresses, names. Each test is a pattern of the shell, so that a test costs
# no process. Sourcing this runs nothing.
# shellcheck shell=sh

# is_number TEXT MOST: whether it is a decimal number up to MOST. A leading zero is refused: the shell reads it as octal.
is_number() {
	case $1 in '' | *[!0-9]* | 0?* | ??????*) return 1 ;; esac
	[ "$1" -le "$2" ]
}

is_ipv4() {
	case $1 in
	*[!0-9.]* | *.*.*.*.*) return 1 ;;
	*.*.*.*) ;;
	*) return 1 ;;
	esac
	octets=$1.
	while [ -n "$octets" ]; do
		is_number "${octets%%.*}" 255 || return 1
		octets=${octets#*.}
	done
}

# RFC 4291, 2.2, forms 1 and 2
is_ipv6() {
	case $1 in
	*[!0-9A-Fa-f:]* | *:::* | *::*::* | :[!:]* | *[!:]:) return 1 ;;
	*::*) limit=7 ;;
	*:*) limit=8 ;;
	*) return 1 ;;
	esac
	groups=$1:
	count=0
	while [ -n "$groups" ]; do
		case ${groups%%:*} in
		?????*) return 1 ;;
		'') ;;
		*) count=$((count + 1)) ;;
		esac
		groups=${groups#*:}
	done
	[ "$count" -eq "$limit" ] || { [ "$limit" = 7 ] && [ "$count" -lt 7 ]; }
}

is_address() {
	is_ipv4 "$1" || is_ipv6 "$1"
}

# is_server TEXT: whether a resolver takes it: an address, which may be of one link (fe80::1%eth0, RFC 4007)
is_server() {
	case $1 in
	*%*) is_ipv6 "${1%%%*}" && is_interface_name "${1#*%}" ;;
	*) is_address "$1" ;;
	esac
}

# is_name TEXT MOST: whether it is a host or domain name (RFC 952, RFC 1123, 2.1) of at most MOST characters
is_name() {
	case $1 in '' | *[!A-Za-z0-9.-]* | .* | *. | *..* | -* | *- | *.-* | *-.*) return 1 ;; esac
	[ "${#1}" -le "$2" ] || return 1
	labels=$1.
	while [ -n "$labels" ]; do
		label=${labels%%.*}
		[ "${#label}" -le 63 ] || return 1
		labels=${labels#*.}
	done
}

# is_host_name TEXT: at most 64 characters, as sethostname(2) takes
is_host_name() {
	is_name "$1" 64
}

# the kernel's IFNAMSIZ is 16, with a NUL
is_interface_name() {
	case $1 in '' | . | .. | *[!A-Za-z0-9._-]* | ????????????????*) return 1 ;; esac
}

# is_mac TEXT: six octets with colons or dashes between them
is_mac() {
	octet='[0-9A-Fa-f][0-9A-Fa-f]'
	# shellcheck disable=SC2254 # patterns
	case $1 in
	$octet:$octet:$octet:$octet:$octet:$octet | $octet-$octet-$octet-$octet-$octet-$octet) ;;
	*) return 1 ;;
	esac
}

# plain_mac MAC: as the kernel writes it
plain_mac() {
	printf '%s\n' "$1" | tr 'A-F-' 'a-f:'
}

# is_station MAC: whether an interface can have it: it is neither a group's nor nobody's
is_station() {
	case $1 in ?[13579BDFbdf]* | 00[:-]00[:-]00[:-]00[:-]00[:-]00) return 1 ;; esac
}

# is_mtu TEXT [LEAST]: every IPv4 host takes 576 bytes (RFC 791), every IPv6 link 1280 (RFC 8200)
is_mtu() {
	is_number "$1" 65535 && [ "$1" -ge "${2:-576}" ]
}

# prefix NETMASK: its length in bits; fails unless its ones all come first
prefix() {
	is_ipv4 "$1" || return 1
	bits=0
	full=yes
	octets=$1.
	while [ -n "$octets" ]; do
		octet=${octets%%.*}
		octets=${octets#*.}
		case $octet in
		255) more=8 ;;
		254) more=7 ;;
		252) more=6 ;;
		248) more=5 ;;
		240) more=4 ;;
		224) more=3 ;;
		192) more=2 ;;
		128) more=1 ;;
		0) more=0 ;;
		*) return 1 ;;
		esac
		[ -n "$full" ] || [ "$more" = 0 ] || return 1
		[ "$more" = 8 ] || full=''
		bits=$((bits + more))
	done
	printf '%s\n' "$bits"
}
