# The daemons of the preliminary environment. They are the system's own programs, and gone when the real init starts
# its own. Sourcing this runs nothing.
# shellcheck shell=sh

host_key=/etc/ssh/ssh_host_ed25519_key

# make_host_key: the key by which this node is known over SSH, in the preliminary environment and in the real system. It
# is made anew at each boot, in RAM; its fingerprint is on the consoles, above each login and in
# /run/alchemy/host_key_fingerprint, so that a client's first connection can be verified.
make_host_key() {
	rm -f "$ROOT/new$host_key"
	made=$ROOT/run/alchemy/host_key.log
	if ! chroot "$ROOT/new" ssh-keygen -t ed25519 -N '' -C '' -f "$host_key" >"$made" 2>&1; then
		say "ssh: there is no host key: $(tail -n 1 "$made")"
		return 1
	fi
	# it prints the fingerprint itself: to start it again for that would take time at each boot
	fingerprint=$(sed -n 's/^\(SHA256:[^ ]*\).*/\1/p' "$made")
	printf '%s\n' "$fingerprint" >"$ROOT/run/alchemy/host_key_fingerprint"
	printf 'SSH host key (ED25519) %s\n\n' "$fingerprint" >>"$ROOT/new/etc/issue"
	say "ssh: the host key (ED25519) is $fingerprint"
}

# dropbear_key: prints an unencrypted ED25519 key of OpenSSH (PROTOCOL.key of its source, where all fields have a fixed
# length for such a key) in Dropbear's format: the key's type and 64 bytes, both with their lengths
dropbear_key() {
	sed '/^-/d' "$1" | base64 -d >"$1.raw"
	tail -c +107 "$1.raw" | head -c 15
	tail -c +158 "$1.raw" | head -c 68
	rm "$1.raw"
}

# start_ssh: dropbear, for the admin user's keys
start_ssh() {
	mkdir -p "$ROOT/new/etc/dropbear"
	(
		umask 077
		dropbear_key "$ROOT/new$host_key" >"$ROOT/new/etc/dropbear/host_key"
	)
	chroot "$ROOT/new" dropbear -r /etc/dropbear/host_key -s -g -j -k -P /run/alchemy/dropbear.pid \
		2>"$ROOT/run/alchemy/dropbear.log" || {
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

# stop_services: ends both, with the sessions they have, and the dhcpcd of ask_for_ipv6, and waits until their ports and
# sockets are free: two seconds at most
stop_services() {
	tries=0
	while pids=$(pidof dropbear lldpd dhcpcd) && [ "$tries" -lt 100 ]; do
		# shellcheck disable=SC2086 # a list of numbers, to be split
		[ "$tries" -gt 0 ] || kill $pids 2>/dev/null
		usleep 20000
		tries=$((tries + 1))
	done
	# shellcheck disable=SC2086 # a list of numbers, to be split
	[ -z "$pids" ] || kill -9 $pids 2>/dev/null
	rm -rf "$ROOT/run/lldpd.socket" "$ROOT/run/lldpd.pid" "$ROOT/run/alchemy/dropbear.pid"
}
