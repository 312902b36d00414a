# The drivers that are modules. Sourcing this runs nothing.
# shellcheck shell=sh

# load_modules: loads the driver of each device that has none. PCI devices come first, in the order of their addresses.
# A bus that a driver brings has devices of its own: it goes on as long as there are new ones. The system's modprobe
# reads the image's /etc/modprobe.d. Only an image with modules has anything to load.
load_modules() {
	[ -e "$ROOT/new/lib/modules/$(uname -r)/modules.dep" ] || return 0
	# a driver that hangs is the last thing that the console shows
	say 'modules: loading drivers'
	known=' '
	while find_aliases; [ -n "$aliases" ]; do
		# aliases contain no blanks, and must not be expanded as patterns
		set -f
		# shellcheck disable=SC2086
		chroot "$ROOT/new" modprobe --all --quiet --use-blacklist -- $aliases 2>&1 | while read -r line; do
			say "modules: $line"
		done
		set +f
	done
	loaded=$(cut -d ' ' -f 1 "$ROOT/proc/modules" | sort | tr '\n' ' ')
	loaded=${loaded% }
	say "modules: loaded ${loaded:-none}"
}

# find_aliases: sets $aliases to the modaliases of devices without a driver, and adds them to $known, which it leaves out
find_aliases() {
	aliases=''
	for device in "$ROOT"/sys/bus/pci/devices/* "$ROOT"/sys/bus/*/devices/*; do
		[ ! -e "$device/driver" ] || continue
		modalias=''
		[ ! -e "$device/modalias" ] || read -r modalias <"$device/modalias"
		case $modalias in
		'' | *[!!-~]*) continue ;;
		esac
		case $known in
		*" $modalias "*) continue ;;
		esac
		known="$known$modalias "
		aliases="$aliases $modalias"
	done
}
