# What the preliminary init fetches: SSH keys, and a command to run. Sourcing this runs nothing.
# shellcheck shell=sh
# parse_cmdline sets the p_ variables by way of eval, and other files use them
# shellcheck disable=SC2154,SC2034

# fetch URL FILE: into a file below /new, with the system's curl and its CA bundle, retried for a minute, 1 MB at most
fetch() {
	last=$(($(uptime_seconds) + 60))
	pause=1
	until fetch_once "$1" "$2"; do
		reason=$(grep '^curl: ' "$ROOT/run/alchemy/fetch.log" | tail -n 1)
		rm -f "$ROOT/new$2"
		# what the server says of the request, or is itself, will not change: a malformed URL, a 4xx, redirects, the
		# certificate, the size
		case $reason in
		*': 4'* | 'curl: (1)'* | 'curl: (3)'* | 'curl: (47)'* | 'curl: (60)'* | 'curl: (63)'*) pause=60 ;;
		esac
		[ "$(($(uptime_seconds) + pause))" -lt "$last" ] || {
			say "$1: cannot be fetched: ${reason:-no answer}"
			return 1
		}
		sleep "$pause"
		pause=$((pause * 2))
	done
}

# not curl's own --retry: with it curl 8.14 ends with 0, whatever became of the transfer
fetch_once() {
	timeout 30 chroot "$ROOT/new" curl --fail --silent --show-error --location --max-redirs 5 --proto =http,https \
		--max-filesize 1048576 --connect-timeout 10 --max-time 25 --output "$2" "$1" 2>"$ROOT/run/alchemy/fetch.log"
}

# has_sha256 FILE DIGEST NAME: whether a file below /new is what it has to be; any is when there is no digest
has_sha256() {
	[ -n "$2" ] || return 0
	found=$(sha256sum <"$ROOT/new$1")
	[ "${found%% *}" != "$2" ] || return 0
	say "$3: has the SHA-256 ${found%% *}, not $2: not used"
	return 1
}

# add_ssh_keys: each line of ssh_keys_url that is a key, added to those the admin user has
add_ssh_keys() {
	fetch "$p_ssh_keys_url" /run/alchemy/ssh_keys || return
	has_sha256 /run/alchemy/ssh_keys "$p_ssh_keys_sha256" ssh_keys_url || return
	# the admin user is the one with the first ordinary number
	IFS=: read -r user _ uid gid _ home _ <<-EOT
		$(grep -E '^[^:]*:[^:]*:1000:' "$ROOT/new/etc/passwd")
	EOT
	file=$ROOT/new$home/.ssh/authorized_keys
	likely=$ROOT/new/run/alchemy/ssh_keys.likely
	odd=$ROOT/new/run/alchemy/ssh_keys.odd
	mkdir -p "${file%/*}"
	sort_lines "$ROOT/new/run/alchemy/ssh_keys" "$likely" "$odd"
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

# sort_lines FILE LIKELY ODD: what looks like a key, and what does not and is not worth a process: a page of HTML has a
# thousand lines
sort_lines() {
	: >"$3"
	LC_ALL=C awk -v odd="$3" '
		{ sub(/\r$/, "") }
		/^#/ || /^[ \t]*$/ { next }
		/(ssh-|ecdsa-|sk-)[^ ]* / { print; next }
		{ print >odd }
	' "$1" >"$2"
}

is_ssh_key() {
	printf '%s\n' "$1" >"$ROOT/new/run/alchemy/ssh_key"
	chroot "$ROOT/new" ssh-keygen -l -f /run/alchemy/ssh_key >/dev/null 2>&1
}

# run_command: fetches what command_url names, and runs it when it is what it has to be. It runs beside the rest of the
# boot and on into the real system: a burn-in takes days, and a command that hangs must not keep the node from coming up.
run_command() {
	command=/run/alchemy/command
	set_command_status() { printf '%s\n' "$1" >"$ROOT/new/run/alchemy/command.status"; }
	if ! { fetch "$p_command_url" "$command" && may_run "$command"; }; then
		say 'command_url: nothing is run'
		set_command_status refused
		return 1
	fi
	chmod 0755 "$ROOT/new$command"
	mkdir -p "$ROOT/new/var/log"
	set_command_status running
	say "command_url: running, its output is in /var/log/command_url.log"
	# shellcheck disable=SC2016 # the inner shell's
	setsid chroot "$ROOT/new" /bin/sh -c '
		{
			"$0" 2>&1 </dev/null
			printf "%s\n" "$?" >/run/alchemy/command.status.new
			mv /run/alchemy/command.status.new /run/alchemy/command.status
		} | tee -a /var/log/command_url.log
		read -r status </run/alchemy/command.status
		printf "<6>alchemy: command_url: ended with status %s\n" "$status" | tee /dev/kmsg | cut -c 4-
	' "$command" >"$ROOT/dev/console" 2>&1 &
}

# may_run FILE: whether it is what the digest says, and signed by whom it has to be
may_run() {
	has_sha256 "$1" "$p_command_sha256" command_url && is_signed "$1"
}

# is_signed FILE: whether it has a good signature by one of the keys that may sign, if there are any. Where the image
# has such keys, those alone count: whoever writes the command line must not get around them.
is_signed() {
	signers=/run/alchemy/command_signers
	baked=$ROOT/new/etc/alchemy/command_keys
	if [ -s "$baked" ]; then
		sed 's/^/alchemy /' "$baked" >"$ROOT/new$signers"
		[ -z "$p_command_key" ] || say 'command_key: ignored, as the image has keys of its own for this'
	elif [ -n "$p_command_key" ]; then
		printf 'alchemy %s %s\n' "${p_command_key%%:*}" "${p_command_key#*:}" >"$ROOT/new$signers"
	else
		return 0
	fi
	fetch "$p_command_url.sig" "$1.sig" || {
		say 'command_url: has no signature, and has to have one'
		return 1
	}
	chroot "$ROOT/new" ssh-keygen -Y verify -f "$signers" -I alchemy -n file -s "$1.sig" \
		<"$ROOT/new$1" >"$ROOT/run/alchemy/verify.log" 2>&1 && return
	say "command_url: its signature is not good: $(tail -n 1 "$ROOT/run/alchemy/verify.log")"
	return 1
}
