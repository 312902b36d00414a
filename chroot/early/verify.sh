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

# is_signed FILE URL NAMESPACE WHAT: whether a file below /new has a good signature, fetched from URL.sig, by one of the
# keys in the file `signers`; 2 when the signature cannot be fetched
is_signed() {
	fetch "$2.sig" "$1.sig" || return 2
	chroot "$ROOT/new" ssh-keygen -Y verify -f "$signers" -I alchemy -n "$3" -s "$1.sig" \
		<"$ROOT/new$1" >"$ROOT/run/alchemy/verify.log" 2>&1 && return
	say "$4: refused: bad signature: $(tail -n 1 "$ROOT/run/alchemy/verify.log")"
	return 1
}

# image_signers: writes the keys of the image that may sign (config.yml: command_keys) as ssh-keygen's allowed signers;
# fails when the image has none
image_signers() {
	signers=/run/alchemy/signers
	baked=$ROOT/new/etc/alchemy/command_keys
	[ -s "$baked" ] && sed 's/^/alchemy /' "$baked" >"$ROOT/new$signers"
}
