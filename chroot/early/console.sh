# What the preliminary init says, and the shells it gives. Sourcing this runs nothing.
# shellcheck shell=sh

# hold_stdio: without a console the kernel starts us with no open file at all, and the first that is opened would get
# the messages of every program
hold_stdio() {
	(: 3<&0) 2>/dev/null || exec </dev/null >/dev/null 2>&1
}

# say MESSAGE: one line on every console, with the seconds since power-on, and the same in the kernel log
say() {
	read -r uptime _ <"$ROOT/proc/uptime"
	for console in $(consoles); do
		# a device that has gone, or never worked, costs its own line only
		{ printf '[%8s] alchemy: %s\n' "$uptime" "$1" >"$ROOT/dev/$console"; } 2>/dev/null
	done
	# debug level, so that a kernel without `quiet` does not put it on the consoles again
	printf '<7>alchemy: %s\n' "$1" >"$ROOT/dev/kmsg"
}

# read_consoles LINE: sets asked_consoles to what every console= of a kernel command line names, as `NAME` or
# `NAME,OPTIONS`. The names are completed as the kernel does it (console_setup in kernel/printk/printk.c).
read_consoles() {
	asked_consoles=''
	while IFS= read -r word; do
		case $word in console=*) ;; *) continue ;; esac
		name=${word#console=}
		# a number alone is a port of ttyS
		case $name in [0-9]*) name=ttyS$name ;; esac
		options=${name#"${name%%,*}"}
		name=${name%%,*}
		case $name in
		'' | *[!A-Za-z0-9_]*) continue ;;
		*[!0-9]) name=${name}0 ;;
		esac
		case $options in *[!A-Za-z0-9,]*) options='' ;; esac
		asked_consoles="$asked_consoles $name$options"
	done <<-EOT
		$(split_words "$1")
	EOT
}

# consoles: the consoles of console= and those that the kernel uses, each once, as far as there is such a device. The
# kernel takes only one console= of each driver; those it leaves out are ours to write to.
consoles() {
	active=console
	[ ! -e "$ROOT/sys/class/tty/console/active" ] || read -r active <"$ROOT/sys/class/tty/console/active" || active=''
	seen=' '
	for console in ${asked_consoles-} $active; do
		console=${console%%,*}
		case $seen in *" $console "*) continue ;; esac
		seen="$seen$console "
		! is_console "$console" || printf '%s\n' "$console"
	done
}

# is_console NAME: whether it is a terminal that is there. A serial port without hardware has a device file, and the
# type 0 (PORT_UNKNOWN); ttynull swallows everything.
is_console() {
	[ -e "$ROOT/sys/class/tty/$1" ] && [ -e "$ROOT/dev/$1" ] || return 1
	case $1 in ttynull*) return 1 ;; esac
	type=''
	[ ! -e "$ROOT/sys/class/tty/$1/type" ] || read -r type <"$ROOT/sys/class/tty/$1/type" || type=''
	[ "$type" != 0 ]
}

# console_speed NAME: the baud rate that console= gives it, if any: 115200 of `ttyS1,115200n8`
console_speed() {
	for asked in $asked_consoles; do
		case $asked in
		"$1",[0-9]*)
			speed=${asked#*,}
			printf '%s\n' "${speed%%[!0-9]*}"
			return
			;;
		esac
	done
}

# set_speeds: gives the serial consoles that the kernel does not use the speed that console= says
set_speeds() {
	for console in $(consoles); do
		speed=$(console_speed "$console")
		[ -z "$speed" ] || is_in "$console" " $(cat "$ROOT/sys/class/tty/console/active") " ||
			stty -F "$ROOT/dev/$console" "$speed" || say "console=$console: does not take the speed $speed"
	done
}

# terminal: the name in /dev of what a program gets as its terminal. It is /dev/console, which the kernel means to be the
# last console= that exists; that one itself where the kernel does not use it; another console where there is no
# /dev/console; or else null. A redirection from a device that does not open would end process 1.
terminal() {
	wanted=console
	for asked in ${asked_consoles-}; do
		! is_console "${asked%%,*}" || wanted=${asked%%,*}
	done
	! is_in "$wanted" " $(cat "$ROOT/sys/class/tty/console/active") " || wanted=console
	for device in "$wanted" console $(consoles); do
		[ -e "$ROOT/dev/$device" ] || continue
		if (: <>"$ROOT/dev/$device") 2>/dev/null; then
			printf '%s\n' "$device"
			return
		fi
	done
	printf 'null\n'
}

# rescue REASON: a shell on the console, for whoever has to find out; leaving it goes on with the boot
rescue() {
	say "$1"
	if is_locked; then
		say 'this image is locked: there is no rescue shell, and the node restarts in 5 minutes'
		sleep 300
		reboot -f
	elif [ "$(terminal)" = null ]; then
		say 'there is no console for a rescue shell: the boot goes on in 60 seconds'
		sleep 60
	else
		say "this is a rescue shell in the ramfs; the system, as far as it is mounted, is in /new"
		say "\`dmesg\` has the history; \`exit\` tries again, \`reboot -f\` restarts the node"
		run_shell
	fi
}

# run_shell: a shell with job control on the terminal. A terminal that is gone ends it at once: the pause keeps that from
# being a busy loop.
run_shell() {
	device=$ROOT/dev/$(terminal)
	# shellcheck disable=SC2094 # a terminal, not a file
	setsid -c /bin/sh -l <"$device" >"$device" 2>&1
	sleep 1
}
