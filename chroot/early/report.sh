# rack_url: reports to the rack service that the preliminary init runs. Sourcing this runs nothing.
# shellcheck shell=sh
# parse_cmdline sets the p_ variables by way of eval
# shellcheck disable=SC2154

# report_init: sends the report in the background. The boot does not wait for it, and a failure is only logged: the running
# system reports again, and asks what to do.
report_init() {
	case $p_rack_url in
	[Hh][Tt][Tt][Pp]://?* | [Hh][Tt][Tt][Pp][Ss]://?*) ;;
	*) return 0 ;;
	esac
	{
		machine_keys | chroot "$ROOT/new" curl --fail --silent --show-error --proto =http,https --connect-timeout 10 \
			--max-time 20 --header 'Content-Type: application/json' --data-binary @- "${p_rack_url%/}/v1/boots"
	} >/dev/null 2>"$ROOT/run/alchemy/report.log" &
}

# machine_keys: prints the keys of this machine as JSON
machine_keys() {
	macs=''
	for file in "$ROOT"/sys/class/net/*/address; do
		mac=$(first_line "$file")
		case $mac in '' | 00:00:00:00:00:00 | *[!0-9a-f:]*) continue ;; esac
		macs="$macs${macs:+,}\"$mac\""
	done
	dmi=$ROOT/sys/class/dmi/id
	printf '{"stage":"init","boot_id":"%s","uuid":"%s","serial":"%s","macs":[%s]}\n' \
		"$(first_line "$ROOT/proc/sys/kernel/random/boot_id")" "$(first_line "$dmi/product_uuid")" \
		"$(first_line "$dmi/product_serial")" "$macs"
}

# first_line FILE: prints the first line if it fits into a JSON string as it is: printable ASCII without quotes and
# backslashes, at most 128 characters. Otherwise the other keys have to do.
first_line() {
	line=''
	# without a newline at the end of the file, read fails but fills the variable
	IFS= read -r line 2>/dev/null <"$1" || :
	case $line in *[!\ -~]* | *[\"\\]*) return 0 ;; esac
	[ "${#line}" -gt 128 ] || printf '%s' "$line"
}
