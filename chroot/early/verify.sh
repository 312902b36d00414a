# What is fetched is used only when it is what the command line and the image say it has to be; whatever is in doubt is
# refused. Sourcing this runs nothing.
# shellcheck shell=sh
# parse_cmdline sets the p_ variables by way of eval, and other files use them
# shellcheck disable=SC2154,SC2034

# is_locked: whether the image takes keys and commands only as it says itself, or as its keys have signed (config.yml:
# locked). early/locked is there before the system is mounted.
is_locked() {
	[ -e "$early/locked" ] || [ -e "$ROOT/new/etc/alchemy/locked" ]
}

# enforce_lock: what a locked image refuses of the command line
enforce_lock() {
	is_locked || return 0
	[ -z "$p_shell" ] || say 'shell: refused: this image is locked'
	p_shell=''
	[ "$p_real_init" = /sbin/init ] || say "real_init=$p_real_init: refused: this image is locked"
	p_real_init=/sbin/init
}

# is_doubtful WHAT: says why WHAT is refused, where a parameter that verifies it is in doubt (see doubt)
is_doubtful() {
	eval "reason=\$refused_$1"
	[ -n "$reason" ] || return 1
	say "$1: refused: $reason"
}

# has_sha256 FILE DIGEST WHAT: whether a file below /new is what it has to be; any is when there is no digest
has_sha256() {
	[ -n "$2" ] || return 0
	found=$(sha256sum <"$ROOT/new$1")
	[ "${found%% *}" != "$(printf '%s' "$2" | tr 'A-F' 'a-f')" ] || return 0
	say "$3: refused: SHA-256 mismatch (expected $2, got ${found%% *})"
	return 1
}

# note_doubts: leaves the refusals to those programs of the running system that act on the parameters, a line each:
# WHAT REASON
note_doubts() {
	for pair in $verifying; do
		eval "reason=\$refused_${pair#*:}"
		[ -z "$reason" ] || printf '%s %s\n' "${pair#*:}" "$(printf '%s' "$reason" | tr '\n' ' ')"
	done | sort -u >"$ROOT/run/alchemy/doubts"
}

# may_use FILE URL NAMESPACE KEY WHAT: whether a file below /new, fetched from URL, has a good signature, for this URL and
# this day, by one of the keys that may sign, if there are any. Where the image has such keys, those alone count: whoever
# writes the command line must not get around them. 2 when the signature cannot be fetched
may_use() {
	if image_signers "$1"; then
		[ -z "$4" ] || say "${5%_url}_key: ignored, as the image has keys of its own for this"
	elif is_locked; then
		say "$5: refused: this image is locked, and has no command_keys that could have signed it"
		return 1
	elif [ -n "$4" ]; then
		printf 'alchemy %s %s\n' "${4%%:*}" "${4#*:}" >"$ROOT/new$1.signers"
	else
		return 0
	fi
	is_signed "$1" "$2" "$3" "$5" || return
	is_meant "$1" "$2" "$3" "$5"
}

# is_signed FILE URL NAMESPACE WHAT: whether a file below /new has a good signature, fetched from URL.sig, by one of the
# keys in FILE.signers; 2 when the signature cannot be fetched
is_signed() {
	fetch "$2.sig" "$1.sig" || return 2
	chroot "$ROOT/new" ssh-keygen -Y verify -f "$1.signers" -I alchemy -n "$3" -s "$1.sig" \
		<"$ROOT/new$1" >"$ROOT/new$1.log" 2>&1 && return
	say "$4: refused: bad signature: $(tail -n 1 "$ROOT/new$1.log")"
	return 1
}

# is_meant FILE URL NAMESPACE WHAT: whether a signed file is meant for this URL and this day: its one line
#     # NAMESPACE: NAME not-after YYYY-MM-DD
# has the last part of URL as NAME, and a day (UTC) that is not over. Else any file that was ever signed could be served
# in place of any other.
is_meant() {
	lines=$(LC_ALL=C sed -n "s/^# $3: //p" "$ROOT/new$1")
	url=${2%%[?#]*}
	name=${url##*/}
	last_day=${lines#"$name not-after "}
	case $name:$last_day in
	?*:[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]) ;;
	*)
		say "$4: refused: bad signature line (expected\
 '# $3: $name not-after YYYY-MM-DD' once, got '$(printf '%s' "$lines" | cut -c 1-80 | tr -c ' -~' '?')')"
		return 1
		;;
	esac
	today=$(date -u +%Y-%m-%d)
	[ "$(printf '%s' "$last_day" | tr -d -)" -lt "$(printf '%s' "$today" | tr -d -)" ] || return 0
	say "$4: refused: expired signature (valid until $last_day, today is $today)"
	return 1
}

# image_signers FILE: writes the keys of the image that may sign (config.yml: command_keys) as FILE.signers, ssh-keygen's
# allowed signers; fails when the image has none
image_signers() {
	baked=$ROOT/new/etc/alchemy/command_keys
	[ -s "$baked" ] && sed 's/^/alchemy /' "$baked" >"$ROOT/new$1.signers"
}
