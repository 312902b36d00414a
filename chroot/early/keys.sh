# ssh_keys_url: public keys for the admin user. Sourcing this runs nothing.
# shellcheck shell=sh
# parse_cmdline sets the p_ variables by way of eval, and other files use them
# shellcheck disable=SC2154,SC2034

# add_ssh_keys: each line of ssh_keys_url that is a key, added to those the admin user has. Ends as get_once says.
add_ssh_keys() {
	! is_doubtful ssh_keys_url || return 1
	keys=/run/alchemy/ssh_keys
	fetch "$p_ssh_keys_url" "$keys" || return 2
	has_sha256 "$keys" "$p_ssh_keys_sha256" ssh_keys_url || return 1
	may_add "$keys" || return
	# the admin user is the one with the first ordinary number
	IFS=: read -r user _ uid gid _ home _ <<-EOT
		$(grep -E '^[^:]*:[^:]*:1000:' "$ROOT/new/etc/passwd")
	EOT
	file=$ROOT/new$home/.ssh/authorized_keys
	likely=$ROOT/new/run/alchemy/ssh_keys.likely
	odd=$ROOT/new/run/alchemy/ssh_keys.odd
	mkdir -p "${file%/*}"
	sort_lines "$ROOT/new$keys" "$likely" "$odd"
	added=0
	while read -r line; do
		if ! is_ssh_key "$line"; then
			printf '%s\n' "$line" >>"$odd"
		elif ! grep -qxF "$line" "$file" 2>/dev/null; then
			# a last line without its end would swallow the first key
			[ ! -s "$file" ] || [ -z "$(tail -c 1 "$file")" ] || printf '\n' >>"$file"
			printf '%s\n' "$line" >>"$file"
			added=$((added + 1))
		fi
	done <"$likely"
	chown -R "$uid:$gid" "${file%/*}"
	chmod 0700 "${file%/*}"
	[ ! -e "$file" ] || chmod 0600 "$file"
	[ ! -s "$odd" ] || say "ssh_keys_url: not a public key, left out: $(wc -l <"$odd" | tr -d ' ') lines, the first is\
 $(head -n 1 "$odd" | cut -c 1-60 | tr -c ' -~\n' '?')"
	say "ssh_keys_url: $added keys added for $user"
}

# may_add FILE: in a locked image the file has to be signed by a key of the image
may_add() {
	is_locked || return 0
	image_signers "$1" || {
		say 'ssh_keys_url: refused: this image is locked, and has no command_keys that could have signed it'
		return 1
	}
	is_signed "$1" "$p_ssh_keys_url" alchemy-keys ssh_keys_url
}

# sort_lines FILE LIKELY ODD: what looks like a key, and what does not and is not worth a process: a page of HTML has a
# thousand lines. Dropbear wants a space between the fields, where OpenSSH takes a tab too; a tab inside quotes stays.
sort_lines() {
	: >"$3"
	LC_ALL=C awk -v odd="$3" '
		NR == 1 { sub(/^\357\273\277/, "") }
		{ sub(/\r$/, "") }
		/^[ \t]*(#|$)/ { next }
		!/"/ { gsub(/\t/, " ") }
		/(ssh-|ecdsa-|sk-)[^ \t]*[ \t]/ { print; next }
		{ print >odd }
	' "$1" >"$2"
}

is_ssh_key() {
	printf '%s\n' "$1" >"$ROOT/new/run/alchemy/ssh_key"
	chroot "$ROOT/new" ssh-keygen -l -f /run/alchemy/ssh_key >/dev/null 2>&1
}
