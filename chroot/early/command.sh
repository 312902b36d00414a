# command_url: a script that runs as root. Sourcing this runs nothing.
# shellcheck shell=sh
# parse_cmdline sets the p_ variables by way of eval, and other files use them
# shellcheck disable=SC2154,SC2034

# run_command: fetches what command_url names, and runs it when it is what it has to be. It runs beside the rest of the
# boot and on into the real system: a burn-in takes days, and a command that hangs must not keep the node from coming up.
# Ends as get_once says.
run_command() {
	command=/run/alchemy/command
	check_command
	case $? in
	0) start_command ;;
	2)
		set_command_status waiting
		return 2
		;;
	*)
		say 'command_url: nothing is run'
		set_command_status refused
		return 1
		;;
	esac
}

set_command_status() { printf '%s\n' "$1" >"$ROOT/new/run/alchemy/command.status"; }

# check_command: 0 when the command is there and may run, 2 when it or its signature cannot be fetched
check_command() {
	! is_doubtful command_url || return 1
	fetch "$p_command_url" "$command" || return 2
	has_sha256 "$command" "$p_command_sha256" command_url || return 1
	is_signed_command || return
	head -n 1 "$ROOT/new$command" | grep -q "$(printf '\r')\$" || return 0
	say 'command_url: refused: its first line ends in CR LF (convert it to LF)'
	return 1
}

# is_signed_command: whether the command has a good signature by one of the keys that may sign, if there are any. Where
# the image has such keys, those alone count: whoever writes the command line must not get around them.
is_signed_command() {
	if image_signers; then
		[ -z "$p_command_key" ] || say 'command_key: ignored, as the image has keys of its own for this'
	elif is_locked; then
		say 'command_url: refused: this image is locked, and has no command_keys that could have signed it'
		return 1
	elif [ -n "$p_command_key" ]; then
		printf 'alchemy %s %s\n' "${p_command_key%%:*}" "${p_command_key#*:}" >"$ROOT/new$signers"
	else
		return 0
	fi
	is_signed "$command" "$p_command_url" alchemy-command command_url || return
	is_meant "$ROOT/new$command"
}

# is_meant FILE: whether a signed script is meant for this URL and this day: its one line
#     # alchemy-command: NAME not-after YYYY-MM-DD
# has the last part of command_url as NAME, and a day (UTC) that is not over. Else any script that was ever signed could
# be served in place of any other.
is_meant() {
	lines=$(LC_ALL=C sed -n 's/^# alchemy-command: //p' "$1")
	url=${p_command_url%%[?#]*}
	name=${url##*/}
	last_day=${lines#"$name not-after "}
	case $name:$last_day in
	?*:[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]) ;;
	*)
		say "command_url: refused: bad signature line (expected\
 '# alchemy-command: $name not-after YYYY-MM-DD' once, got '$(printf '%s' "$lines" | cut -c 1-80 | tr -c ' -~' '?')')"
		return 1
		;;
	esac
	today=$(date -u +%Y-%m-%d)
	[ "$(printf '%s' "$last_day" | tr -d -)" -lt "$(printf '%s' "$today" | tr -d -)" ] || return 0
	say "command_url: refused: expired signature (valid until $last_day, today is $today)"
	return 1
}

# start_command: what it prints is in a log that only root reads, as it may hold secrets, and on the console
start_command() {
	chmod 0700 "$ROOT/new$command"
	mkdir -p "$ROOT/new/var/log"
	: >>"$ROOT/new/var/log/command_url.log"
	chmod 0600 "$ROOT/new/var/log/command_url.log"
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
	' "$command" >"$ROOT/dev/$(terminal)" 2>&1 &
}
