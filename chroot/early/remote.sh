# What the preliminary init fetches, before the hand-over and, when that fails, in the running system (early/retry).
# Sourcing this runs nothing.
# shellcheck shell=sh
# parse_cmdline sets the p_ variables by way of eval, and other files use them
# shellcheck disable=SC2154,SC2034

# get WHAT: does what ssh_keys_url or command_url asks for. What cannot be fetched is noted for early/retry.
get() {
	get_once "$1"
	[ $? -eq 2 ] || return 0
	say "$fetch_error"
	say "$1: tried again in the running system"
	printf '%s\n' "$1" >>"$ROOT/run/alchemy/pending"
}

# get_once WHAT: ends with 0 when it was done, 2 when something cannot be fetched, and 1 when it is refused for good
get_once() {
	case $1 in
	ssh_keys_url) add_ssh_keys ;;
	command_url) run_command ;;
	esac
}

# fetch URL FILE: into a file below /new, with the system's curl and its CA bundle, 1 MB at most. It is tried again for
# a minute, or for as many seconds as `patience` says; fetch_error is why there is nothing.
fetch() {
	case $1 in [Hh][Tt][Tt][Pp][Ss]:*) ask_for_time ;; esac
	last=$(($(uptime_seconds) + ${patience:-60}))
	pause=1
	until fetch_once "$1" "$2"; do
		reason=$(grep '^curl: ' "$ROOT/run/alchemy/fetch.log" | tail -n 1)
		rm -f "$ROOT/new$2"
		# what the server says of the request, or is itself, will not change soon: a malformed URL, a 4xx, redirects,
		# the certificate, the size
		case $reason in
		*': 4'* | 'curl: (1)'* | 'curl: (3)'* | 'curl: (47)'* | 'curl: (60)'* | 'curl: (63)'*) pause=60 ;;
		esac
		[ "$(($(uptime_seconds) + pause))" -lt "$last" ] || {
			fetch_error="$1: cannot be fetched: ${reason:-no answer}"
			return 1
		}
		sleep "$pause"
		pause=$((pause * 2))
	done
}

# not curl's own --retry: with it curl 8.14 ends with 0, whatever became of the transfer
fetch_once() (
	# a script may hold secrets
	umask 077
	# a redirect must not take away the encryption that the URL asks for
	case $1 in [Hh][Tt][Tt][Pp][Ss]:*) redirects='=https' ;; *) redirects='=http,https' ;; esac
	timeout 30 chroot "$ROOT/new" curl --fail --silent --show-error --location --max-redirs 5 --proto =http,https \
		--proto-redir "$redirects" --max-filesize 1048576 --connect-timeout 10 --max-time 25 \
		--output "$2" "$1" 2>"$ROOT/run/alchemy/fetch.log"
)
