# What a lease or an ip= sets: routes, the resolver, the node's name. Sourcing this runs nothing.
# shellcheck shell=sh
# network.sh sets these
# shellcheck disable=SC2154

# add_route NET GATEWAY INTERFACE [METRIC]: on the link where GATEWAY is empty. A gateway that is on no network of the
# interface, as with /32 addresses, is made one of the link.
add_route() {
	problem=$(set_route "$@") && return
	case $2 in
	'') ;;
	*:*) problem=$(set_route "$2/128" '' "$3" "${4-}" && set_route "$@") && return ;;
	*) problem=$(set_route "$2/32" '' "$3" "${4-}" && set_route "$@") && return ;;
	esac
	say "route to $1 via ${2:-the link} on $3: cannot be set: ${problem##*: }"
	return 1
}

set_route() {
	ip route replace "$1" ${2:+via "$2"} dev "$3" ${4:+metric "$4"} 2>&1
}

# set_mtu INTERFACE MTU WHOSE
set_mtu() {
	problem=$(ip link set "$1" mtu "$2" 2>&1) || say "$3: $1 does not take the MTU $2: ${problem##*: }"
}

set_hostname() {
	if is_host_name "$1" && hostname "$1"; then
		printf '%s\n' "$1" >"$ROOT/new/etc/hostname"
	else
		say "hostname: $(printable "$1"): not a host name"
		return 1
	fi
}

# offer_hostname NAME: what a DHCP server calls the node. It counts where the command line has no name for it, and where
# no other server was faster.
offer_hostname() {
	[ ! -e "$ROOT/run/alchemy/named" ] || return 0
	set_hostname "${1%%.*}" && : >"$ROOT/run/alchemy/named"
}

# printable TEXT: what others say, as it can be shown
printable() {
	printf '%s' "$1" | LC_ALL=C tr -c ' -~' '?' | cut -c 1-64
}

# write_resolver INTERFACE…: resolv.conf, with what the command line says first, and then what the leases of the
# interfaces say, each with `nameserver ADDRESS` and `search DOMAIN` on lines of run/alchemy/dns. Only what is an address
# or a name gets in, and six of each: libc reads three servers.
write_resolver() {
	servers='' domains='' server_count=0 domain_count=0
	for value in $user_servers; do add_server "$value"; done
	for interface; do
		for source in dhcp dhcp6 ra; do
			[ -e "$ROOT/run/alchemy/dns/$source.$interface" ] || continue
			while read -r key value; do
				case $key in
				nameserver) add_server "$value" ;;
				search) add_domain "${value%.}" ;;
				esac
			done <"$ROOT/run/alchemy/dns/$source.$interface"
		done
	done
	[ -n "$servers$domains" ] || return 0
	{
		[ -z "$domains" ] || printf 'search%s\n' "$domains"
		for value in $servers; do printf 'nameserver %s\n' "$value"; done
	} >"$ROOT/etc/resolv.conf"
}

add_server() {
	is_server "$1" || {
		say "name server $(printable "$1"): not an address"
		return
	}
	case "$servers " in *" $1 "*) return ;; esac
	[ "$server_count" -lt 6 ] || return 0
	servers="$servers $1"
	server_count=$((server_count + 1))
}

add_domain() {
	is_name "$1" 253 || {
		say "search domain $(printable "$1"): not a domain name"
		return
	}
	case "$domains " in *" $1 "*) return ;; esac
	[ "$domain_count" -lt 6 ] || return 0
	domains="$domains $1"
	domain_count=$((domain_count + 1))
}
