# The daemons of the preliminary environment. They are the system's own programs, and gone when the real init starts
# its own. Sourcing this runs nothing.
# shellcheck shell=sh

# start_ssh: dropbear, for the admin user's keys; its host keys are made in RAM, as they are asked for
start_ssh() {
	mkdir -p "$ROOT/new/etc/dropbear"
	chroot "$ROOT/new" dropbear -R -s -g -j -k -P /run/alchemy/dropbear.pid 2>"$ROOT/run/alchemy/dropbear.log" || {
		say "ssh: dropbear does not start: $(tail -n 1 "$ROOT/run/alchemy/dropbear.log")"
		return 1
	}
	say 'ssh: port 22 answers'
}

# start_lldpd: announces the node's name and what it is on every interface
start_lldpd() {
	mkdir -p "$ROOT/run/lldpd"
	chroot "$ROOT/new" lldpd -c -f -e -s >"$ROOT/run/alchemy/lldpd.log" 2>&1 || {
		say "lldpd: does not start: $(tail -n 1 "$ROOT/run/alchemy/lldpd.log")"
		return 1
	}
	say 'lldpd: announces this node'
}

# stop_services: ends both, with the sessions they have, and waits until their ports and sockets are free
stop_services() {
	for name in dropbear lldpd; do
		pids=$(pidof "$name") || continue
		# shellcheck disable=SC2086 # a list of numbers, to be split
		kill $pids 2>/dev/null
		tries=0
		while pidof "$name" >/dev/null && [ "$tries" -lt 20 ]; do
			usleep 100000
			tries=$((tries + 1))
		done
		pids=$(pidof "$name") || continue
		# shellcheck disable=SC2086 # a list of numbers, to be split
		kill -9 $pids 2>/dev/null
	done
	rm -rf "$ROOT/run/lldpd.socket" "$ROOT/run/lldpd.pid" "$ROOT/run/alchemy/dropbear.pid"
}
