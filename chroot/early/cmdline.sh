# The kernel command line, by the table of parameters. Sourcing this runs nothing.
# shellcheck shell=sh
# parse_cmdline sets the p_ variables by way of eval, and other files use them
# shellcheck disable=SC2154,SC2034

# split_words LINE: the words of a kernel command line, one a line, by the kernel's own rule (next_arg in
# lib/cmdline.c): double quotes protect blanks, and go when they surround the word or the value. A blank that is
# protected stays in its word, a newline as a space.
split_words() {
	printf '%s\n' "$1" | LC_ALL=C awk '
		{ line = line $0 "\n" }
		END {
			count = length(line)
			for (at = 1; at <= count; at++) {
				char = substr(line, at, 1)
				blank = index(" \t\n\v\f\r\240", char)
				if (blank && !quoted) {
					end_word()
					continue
				}
				if (char == "\"") {
					quoted = !quoted
					if (word == "" && !opened) {
						opened = 1
						continue
					}
				}
				if (char == "=" && !equals && word != "") equals = length(word) + 1
				word = word (char == "\n" ? " " : char)
			}
			# a quote that is never closed reaches to the end, without the newline that was put there
			sub(/ $/, "", word)
			end_word()
		}
		function end_word(    name, value) {
			if (equals && substr(word, equals + 1, 1) == "\"") {
				name = substr(word, 1, equals)
				value = substr(word, equals + 2)
				sub(/"$/, "", value)
				word = name value
			}
			else if (opened) sub(/"$/, "", word)
			if (word != "") print word
			word = ""
			opened = equals = quoted = 0
		}'
}

# parse_cmdline TABLE LINE: sets p_NAME for each parameter of TABLE: `yes` for a flag, the value, or the values of a
# list with blanks between them; empty when it wasn't given. has_NAME is `yes` for one that was given at all.
parse_cmdline() {
	flags=' ' values=' ' lists=' ' implying_net=''
	while IFS='|' read -r name kind implies _; do
		# shellcheck disable=SC2086 # drops the blanks around them
		set -- "$1" "$2" $name $kind $implies
		case ${4-} in
		flag) flags="$flags$3 " ;;
		value) values="$values$3 " ;;
		list) lists="$lists$3 " ;;
		*) continue ;;
		esac
		[ "${5-}" != net ] || implying_net="$implying_net $3"
		eval "p_$3='' has_$3=''"
	done <<-EOT
		$(grep -v '^#' "$1")
	EOT
	for pair in $verifying; do eval "refused_${pair#*:}=''"; done
	unknown=''
	while IFS= read -r word; do
		take_parameter "$word"
	done <<-EOT
		$(split_words "$2")
	EOT
	[ -z "$unknown" ] || warn_misspelt
	check_verifying
}

take_parameter() {
	name=${1%%=*}
	value=${1#*=}
	# only names of the table reach eval
	if is_in "$1" "$flags"; then
		eval "p_$1=yes has_$1=yes"
	elif is_in "$name" "$flags"; then
		say "$1: $name takes no value: ignored"
	elif is_in "$1" "$values$lists"; then
		say "$1: needs a value: ignored"
		doubt "$1" "$1 has no value"
	elif is_in "$name" "$values"; then
		eval "[ -z \"\$has_$name\" ] || [ \"\$p_$name\" = \"\$value\" ]" || doubt "$name" "$name is given twice"
		eval "p_$name=\$value has_$name=yes"
	elif is_in "$name" "$lists"; then
		case $value in
		# the values of a list are told apart by blanks, and nothing there has a wildcard
		*[[:space:]*?]*) say "$1: a blank or a wildcard in $name: ignored" ;;
		*) eval "p_$name=\"\${p_$name:+\$p_$name }\$value\" has_$name=yes" ;;
		esac
	else
		name=${name%%[[:space:]]*}
		is_in "$name" "$unknown " || unknown="$unknown $name"
	fi
}

# is_in WORD LIST: whether it is one of the words, which stand between blanks
is_in() {
	case $1 in *' '* | '') return 1 ;; esac
	case $2 in *" $1 "*) return 0 ;; esac
	return 1
}

# What verifies a download, as `PARAMETER:WHAT IT VERIFIES`. What is wrong with such a parameter refuses the download.
verifying='ssh_keys_sha256:ssh_keys_url command_sha256:command_url command_key:command_url'
# the running system's own (note_doubts)
verifying="$verifying burnin_profile_sha256:burnin_profile burnin_profile_key:burnin_profile expect_sha256:expect_url"

# doubt NAME REASON: when the parameter verifies a download, that download is refused, for this reason
doubt() {
	for pair in $verifying; do
		[ "${pair%%:*}" != "$1" ] || eval "refused_${pair#*:}=\$2"
	done
}

# check_verifying: doubts the verifying parameters whose value is empty or malformed
check_verifying() {
	for pair in $verifying; do
		name=${pair%%:*}
		eval "value=\$p_$name has=\$has_$name"
		case $has:$name in
		:*) ;;
		*_sha256)
			is_sha256 "$value" || doubt "$name" "$name is not a SHA-256 (expected 64 hex digits, got '$value')"
			;;
		*)
			is_public_key "$value" || doubt "$name" "$name is not a public key (expected TYPE:BASE64, got '$value')"
			;;
		esac
	done
}

is_sha256() {
	case $1 in *[!0-9a-fA-F]*) return 1 ;; esac
	[ "${#1}" -eq 64 ]
}

# is_public_key TYPE:BASE64
is_public_key() {
	case $1 in
	*:*:* | *[!A-Za-z0-9@.:+/=-]*) return 1 ;;
	[a-z]*:[A-Za-z0-9]*) return 0 ;;
	esac
	return 1
}

# An unknown parameter is not an error, as most are the kernel's and its drivers'. One that is a letter or two off
# one of ours is worth a word, and one that was to verify a download must not be lost.
warn_misspelt() {
	while read -r word name; do
		[ -n "$word" ] || continue
		say "unknown parameter $word: did you mean $name?"
		doubt "$name" "the unknown parameter $word may have been to verify it"
	done <<-EOT
		$(misspelt "$unknown" "$flags$values$lists")
	EOT
}

# misspelt WORDS NAMES: a line `WORD NAME` for each word that is at most two letters off a name, one if it is short, in
# upper or lower case, or that begins with the name of a verifying parameter
misspelt() {
	printf '%s\n' "$1" | LC_ALL=C awk -v names="$2" -v verifying="$verifying" '{
		count = split(names, name)
		total = split($0, word)
		pairs = split(verifying, pair)
		for (w = 1; w <= total; w++) {
			lower = tolower(word[w])
			most = length(lower) > 6 ? 2 : 1
			found = ""
			for (n = 1; n <= count; n++) {
				if (length(name[n]) < 3) continue
				d = edits(lower, tolower(name[n]), most)
				if (d <= most) { most = d - 1; found = name[n] }
			}
			for (p = 1; p <= pairs; p++) {
				split(pair[p], part, ":")
				if (index(lower, part[1]) == 1) found = part[1]
			}
			if (found != "") print word[w], found
		}
	}
	# the letters to insert, delete or change between a and b (Levenshtein), or any number above most. A whole table for
	# each pair takes a slow machine a third of a second.
	function edits(a, b, most,    at, least, d) {
		d = length(a) - length(b)
		if (d > most || -d > most) return most + 1
		at = 1
		while (at <= length(a) && substr(a, at, 1) == substr(b, at, 1)) at++
		a = substr(a, at)
		b = substr(b, at)
		if (a == "" || b == "") return length(a b)
		if (most < 1) return 1
		least = edits(substr(a, 2), substr(b, 2), most - 1)
		if ((d = edits(substr(a, 2), b, most - 1)) < least) least = d
		if ((d = edits(a, substr(b, 2), most - 1)) < least) least = d
		return least + 1
	}'
}

# warn_cut LINE: the kernel keeps 2,047 characters of its command line (COMMAND_LINE_SIZE of x86, with its NUL) and
# says nothing of the rest
warn_cut() {
	[ "${#1}" -lt 2047 ] || say "the command line is longer than the kernel's 2047 characters: what is behind them is lost"
}

# settle_parameters: what follows from what was given
settle_parameters() {
	case $p_net_timeout in
	'') p_net_timeout=30 ;;
	*[!0-9]* | ??????*)
		say "net_timeout=$p_net_timeout: not a number of seconds: 30 is used"
		p_net_timeout=30
		;;
	esac
	# a number with a zero before it would be octal to the shell, and 08 an error that ends it
	while :; do
		case $p_net_timeout in 0?*) p_net_timeout=${p_net_timeout#0} ;; *) break ;; esac
	done
	[ -n "$has_real_init" ] || p_real_init=/sbin/init
	for name in $implying_net; do eval "[ -z \"\$p_$name\" ] || p_net=yes"; done
}
