# The daemons of the preliminary environment. They are the system's own programs, and gone when the real init starts
# its own. Sourcing this runs nothing.
# shellcheck shell=sh

host_key=/etc/ssh/ssh_host_ed25519_key
dropbear_key=/etc/dropbear/host_key

# make_host_key: the key by which this node is known over SSH, in the preliminary environment and in the real system. It
# is new at each boot, in RAM; its fingerprint is on the consoles, above each login and in
# /run/alchemy/host_key_fingerprint, so that a client's first connection can be verified.
make_host_key() {
	key=$ROOT/new$host_key
	made=$ROOT/run/alchemy/host_key.log
	rm -f "$key" "$ROOT/new$dropbear_key"
	mkdir -p "$ROOT/new${dropbear_key%/*}"
	# ssh-keygen would have a slow machine unpack OpenSSL for most of a second
	if ! chroot "$ROOT/new" dropbearkey -t ed25519 -f "$dropbear_key" >"$made" 2>&1; then
		say "ssh: there is no host key: $(tail -n 1 "$made")"
		return 1
	fi
	(
		umask 077
		openssh_key "$ROOT/new$dropbear_key" >"$key"
	)
	sed -n 's/^\(ssh-ed25519 [^ ]*\).*/\1/p' "$made" >"$key.pub"
	fingerprint=$(sed -n 's/^Fingerprint: \(SHA256:[^ ]*\).*/\1/p' "$made")
	printf '%s\n' "$fingerprint" >"$ROOT/run/alchemy/host_key_fingerprint"
	printf 'SSH host key (ED25519) %s\n\n' "$fingerprint" >>"$ROOT/new/etc/issue"
	say "ssh: the host key (ED25519) is $fingerprint"
}

# openssh_key FILE: prints an ED25519 key of Dropbear's (its type, and the 64 bytes of the private and the public key, both
# with their lengths) in OpenSSH's format, unencrypted and without a comment (PROTOCOL.key of its source). All fields of
# such a key have a fixed length.
openssh_key() {
	printf '%s\n' '-----BEGIN OPENSSH PRIVATE KEY-----'
	{
		# cipher, key derivation, its options, the number of keys
		printf 'openssh-key-v1\0\0\0\0\4none\0\0\0\4none\0\0\0\0\0\0\0\1'
		printf '\0\0\0\63'
		ed25519_public_key "$1"
		# of the private part: two numbers whose equality proves a passphrase; the comment, and the padding
		printf '\0\0\0\210\0\0\0\0\0\0\0\0'
		ed25519_public_key "$1"
		tail -c 68 "$1"
		printf '\0\0\0\0\1\2\3\4\5'
	} | base64
	printf '%s\n' '-----END OPENSSH PRIVATE KEY-----'
}

ed25519_public_key() {
	head -c 15 "$1"
	printf '\0\0\0\40'
	tail -c 32 "$1"
}

# start_ssh: dropbear, for the admin user's keys
start_ssh() {
	chroot "$ROOT/new" dropbear -r "$dropbear_key" -s -g -j -k -P /run/alchemy/dropbear.pid \
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
