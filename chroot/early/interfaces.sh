# The interfaces: which there are, and which one is meant. Sourcing this runs nothing.
# shellcheck shell=sh
# parse_cmdline sets the p_ variables by way of eval, and other files use what is set here
# shellcheck disable=SC2154,SC2034

# find_interfaces: sets $hardware to the network interfaces that are hardware, or stand for it, BOOTIF's first, and $all to
# these and the bonds and VLANs that were made. No process is started, as this is done time and again.
find_interfaces() {
	hardware='' others=''
	for entry in "$ROOT"/sys/class/net/*; do
		[ -e "$entry/device" ] || continue
		read_address "${entry##*/}"
		if [ -n "$boot_address" ] && [ "$hardware_address" = "$boot_address" ]; then
			hardware=" ${entry##*/}"
		else
			others="$others ${entry##*/}"
		fi
	done
	hardware=$hardware$others
	all=$hardware
	for entry in $p_bond $p_vlan; do
		[ ! -e "$ROOT/sys/class/net/${entry%%:*}" ] || all="$all ${entry%%:*}"
	done
}

# read_address INTERFACE: sets $hardware_address
read_address() {
	hardware_address=''
	[ ! -e "$ROOT/sys/class/net/$1/address" ] || read -r hardware_address <"$ROOT/sys/class/net/$1/address"
}

# list_interfaces: ` (there are: NAME MAC, …)`
list_interfaces() {
	list=''
	for entry in $hardware; do
		read_address "$entry"
		list="$list${list:+, }$entry $hardware_address"
	done
	printf '%s\n' "${list:+ (there are: $list)}"
}

# boot_mac: the MAC of BOOTIF. It is the hardware type, a dash, and the MAC with dashes; iPXE's hexhyp has the MAC only,
# its hexraw no dashes.
boot_mac() {
	pairs='\([0-9a-f]\{2\}:\)\{5\}[0-9a-f]\{2\}'
	printf '%s\n' "$p_BOOTIF" | tr 'A-F-' 'a-f:' | sed -e '/^[0-9a-f]\{12\}$/{' -e 's/../&:/g' -e 's/:$//' -e '}' \
		-e "s/^\([0-9a-f]\{2\}:\)\{0,1\}\($pairs\)\$/\2/" -e t -e d
}

# find_boot_interface: sets $boot_interface to the one that BOOTIF names, once it is there; it may get another MAC then
find_boot_interface() {
	[ -z "$boot_interface" ] && [ -n "$boot_address" ] && [ -n "$hardware" ] || return 0
	first=${hardware# }
	read_address "${first%% *}"
	[ "$hardware_address" != "$boot_address" ] || boot_interface=${first%% *}
}

# resolve DEVICE: sets $found to the interface that it names, by its name, by its MAC or as BOOTIF. Fails when it is not
# there.
resolve() {
	found=''
	if [ "$1" = BOOTIF ]; then
		found=$boot_interface
	elif is_interface_name "$1" && [ -e "$ROOT/sys/class/net/$1" ]; then
		found=$1
	elif is_mac "$1"; then
		meant=$(plain_mac "$1")
		for entry in $hardware; do
			read_address "$entry"
			[ "$hardware_address" != "$meant" ] || found=$entry
		done
	fi
	[ -n "$found" ]
}

# first_interface: sets $found to where an address goes that is for no interface by name: BOOTIF's, else the first one with
# a link
first_interface() {
	found=$boot_interface
	for entry in $all; do
		[ -n "$found" ] || is_member "$entry" || ! has_link "$entry" || found=$entry
	done
	[ -n "$found" ]
}

has_link() {
	carrier=''
	# the kernel refuses to say it of one that is down
	{ read -r carrier <"$ROOT/sys/class/net/$1/carrier"; } 2>/dev/null
	[ "$carrier" = 1 ]
}

# whether it belongs to a bond
is_member() {
	[ -e "$ROOT/sys/class/net/$1/master" ]
}
