# What the preliminary init says, and the shells it gives. Sourcing this runs nothing.
# shellcheck shell=sh

# say MESSAGE: one line on every console, with the seconds since power-on, and the same in the kernel log
say() {
	read -r uptime _ <"$ROOT/proc/uptime"
	for console in $(consoles); do
		printf '[%8s] alchemy: %s\n' "$uptime" "$1" >"$ROOT/dev/$console"
	done
	# debug level, so that a kernel without `quiet` does not put it on the consoles again
	printf '<7>alchemy: %s\n' "$1" >"$ROOT/dev/kmsg"
}

# the consoles of console=, as far as there is a device
consoles() {
	cat "$ROOT/sys/class/tty/console/active" 2>/dev/null || printf 'console\n'
}

# rescue REASON: a shell on the console, for whoever has to find out; leaving it goes on with the boot
rescue() {
	say "$1"
	say "this is a rescue shell in the ramdisk; the system, as far as it is mounted, is in /new"
	say "\`dmesg\` has the history; \`exit\` tries again, \`reboot -f\` restarts the node"
	run_shell
}

# on /dev/console, with job control; whatever becomes of it is no reason to stop
run_shell() {
	# shellcheck disable=SC2094 # a terminal, not a file
	setsid -c /bin/sh -l <"$ROOT/dev/console" >"$ROOT/dev/console" 2>&1 || sleep 1
}
