# The time of day, which certificates and signatures are judged by. Sourcing this runs nothing.
# shellcheck shell=sh
# init says where early is
# shellcheck disable=SC2154

# set_clock: no node is earlier than the image it runs. One whose RTC says so (a dead battery, as a rule) gets the time
# that the image was built with (early/epoch, seconds since 1970), as none of its certificates was valid before.
set_clock() {
	clock_was_wrong=''
	read -r built <"$early/epoch"
	[ "$(date +%s)" -lt "$built" ] || return 0
	clock_was_wrong=yes
	say "clock: $(date -u '+%Y-%m-%d %H:%M') is earlier than this image: set to its build time"
	date -u -s "@$built" >/dev/null
}

# ask_for_time: one question to the time servers of /etc/ntp.conf, where the clock was wrong and https needs it right
ask_for_time() {
	[ -n "${clock_was_wrong-}" ] || return 0
	clock_was_wrong=''
	# shellcheck disable=SC2046 # pairs of words, to be split
	if timeout 20 chroot "$ROOT/new" busybox ntpd -n -q \
		$(sed -n 's/^server  *\([A-Za-z0-9.:-]*\).*/-p \1/p' "$ROOT/new/etc/ntp.conf") >/dev/null 2>&1; then
		say "clock: $(date -u '+%Y-%m-%d %H:%M') by NTP"
	else
		say 'clock: no NTP server answers; certificates that are newer than this image are not valid yet'
	fi
}
