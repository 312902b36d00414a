# The drivers that are modules. Sourcing this runs nothing.
# shellcheck shell=sh

# the seconds that modprobe has for the drivers of all devices
loading_time=60

# load_modules: loads the driver of each device that has none. PCI devices come first, in the order of their addresses.
# A bus that a driver brings has devices of its own: it goes on as long as there are new ones. The system's modprobe
# reads the image's /etc/modprobe.d. Only an image with modules has anything to load.
load_modules() {
	[ -e "$ROOT/new/lib/modules/$(uname -r)/modules.dep" ] || return 0
	# a driver that hangs is the last thing that the console shows
	say 'modules: loading drivers'
	known=' '
	while find_aliases; [ -n "$aliases" ]; do
		load_drivers || break
	done
	loaded=$(sed -n '/ Loading /!s/ .*//p' "$ROOT/proc/modules" | sort | tr '\n' ' ')
	loaded=${loaded% }
	say "modules: loaded ${loaded:-none}"
}

# load_drivers: has modprobe load the drivers of $aliases. Fails when it does not end within $loading_time seconds. A
# process that hangs in the kernel cannot be killed: it is left behind, with the drivers that would have come after it.
load_drivers() {
	log=$ROOT/run/alchemy/modprobe.log
	rm -f "$log.ended"
	# aliases contain no blanks, and must not be expanded as patterns
	set -f
	{
		# shellcheck disable=SC2086
		chroot "$ROOT/new" modprobe --all --quiet --use-blacklist -- $aliases
		: >"$log.ended"
	} >"$log" 2>&1 &
	set +f
	read -r now _ <"$ROOT/proc/uptime"
	deadline=$((${now%.*} + loading_time))
	until [ -e "$log.ended" ] || [ "${now%.*}" -ge "$deadline" ]; do
		usleep 20000
		read -r now _ <"$ROOT/proc/uptime"
	done
	while read -r line; do say "modules: $line"; done <"$log"
	[ ! -e "$log.ended" ] || return 0
	hanging=$(sed -n 's/^\([^ ]*\) .* Loading .*/\1/p' "$ROOT/proc/modules" | tr '\n' ' ')
	hanging=${hanging% }
	say "modules: modprobe does not end within $loading_time s: the boot goes on without ${hanging:-its drivers}"
	return 1
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
