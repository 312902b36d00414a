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
	may_use "$command" "$p_command_url" alchemy-command "$p_command_key" command_url || return
	head -n 1 "$ROOT/new$command" | grep -q "$(printf '\r')\$" || return 0
	say 'command_url: refused: its first line ends in CR LF (convert it to LF)'
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
