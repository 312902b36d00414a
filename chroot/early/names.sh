# The names of the interfaces. Sourcing this runs nothing.
# shellcheck shell=sh

# order_interfaces: renames the Ethernet interfaces, so that eth0, eth1 … follow their PCI addresses. The kernel numbers
# them as its drivers find them. They have to be down.
order_interfaces() {
	set -- "$ROOT"/sys/class/net/eth[0-9]*
	[ $# -gt 1 ] || return 0
	ordered=$(interface_addresses | sort | sed 's/.* //')
	numbers=$(printf '%s\n' "$ordered" | sed 's/^eth//' | sort -n)
	moves=''
	# shellcheck disable=SC2086 # a list of names
	set -- $ordered
	for number in $numbers; do
		[ "$1" = "eth$number" ] || moves="$moves $1:$number"
		shift
	done
	# in two steps, because another interface may still have the new name
	for move in $moves; do rename "${move%:*}" "renamed${move#*:}"; done
	for move in $moves; do rename "renamed${move#*:}" "eth${move#*:}"; done
}

# interface_addresses: BUS ADDRESS PORT NUMBER NAME of each Ethernet interface, a line each, for sort. BUS is 0 on the PCI
# bus, 1 behind it (USB), 2 elsewhere; PORT tells the ports of one PCI function apart.
interface_addresses() {
	for entry in "$ROOT"/sys/class/net/eth[0-9]*; do
		[ -e "$entry/device" ] || continue
		find_address "$(readlink -f "$entry/device")"
		port=0
		[ ! -e "$entry/dev_port" ] || read -r port <"$entry/dev_port"
		name=${entry##*/}
		printf '%s %s %05d %05d %s\n' "$bus" "$address" "$port" "${name#eth}" "$name"
	done
}

# find_address DEVICE: sets $address to the last PCI address in the path of a device, and $bus to what is behind it
find_address() {
	path=$1 below='' bus=2 address=-
	while [ -n "$path" ]; do
		case ${path##*/} in
		*[0-9a-f]:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f].[0-7])
			address=${path##*/}
			case $below in '' | virtio*) bus=0 ;; *) bus=1 ;; esac
			return
			;;
		esac
		below=${path##*/}
		path=${path%/*}
	done
}

rename() {
	ip link set "$1" name "$2" || say "net: $1: cannot be renamed to $2"
}
