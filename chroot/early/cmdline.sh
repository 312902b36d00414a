# The kernel command line, by the table of parameters. Sourcing this runs nothing.
# shellcheck shell=sh
# parse_cmdline sets the p_ variables by way of eval, and other files use them
# shellcheck disable=SC2154,SC2034

# parse_cmdline TABLE LINE: sets p_NAME for each parameter of TABLE: `yes` for a flag, the value, or the values of a
# list with blanks between them; empty when it wasn't given. has_NAME is `yes` for one that was given at all.
parse_cmdline() {
	flags=' ' values=' ' lists=' '
	while IFS='|' read -r name kind _; do
		# shellcheck disable=SC2086 # the blanks around them go
		set -- "$1" "$2" $name $kind
		case ${4-} in
		flag) flags="$flags$3 " ;;
		value) values="$values$3 " ;;
		list) lists="$lists$3 " ;;
		*) continue ;;
		esac
		eval "p_$3='' has_$3=''"
	done <<-EOT
		$(grep -v '^#' "$1")
	EOT
	# no file names for a `*` in the line
	set -f
	# shellcheck disable=SC2086 # a line of words, to be split
	set -- $2
	set +f
	unknown=''
	for word; do
		take_parameter "$word"
	done
	[ -z "$unknown" ] || warn_misspelt
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
	elif is_in "$name" "$values"; then
		eval "p_$name=\$value has_$name=yes"
	elif is_in "$name" "$lists"; then
		eval "p_$name=\"\${p_$name:+\$p_$name }\$value\" has_$name=yes"
	else
		unknown="$unknown $name"
	fi
}

# is_in WORD LIST: whether it is one of the words, which stand between blanks
is_in() {
	case $1 in *' '* | '') return 1 ;; esac
	case $2 in *" $1 "*) return 0 ;; esac
	return 1
}

# A parameter that nobody knows is no error, as most are the kernel's and its drivers'. One that is a letter or two off
# one of ours is worth a word.
warn_misspelt() {
	misspelt "$unknown" "$flags$values$lists" | while read -r word name; do
		say "unknown parameter $word: did you mean $name?"
	done
}

# misspelt WORDS NAMES: a line `WORD NAME` for each word that is at most two letters off a name, one if it is short
misspelt() {
	awk -v words="$1" -v names="$2" 'BEGIN {
		count = split(names, name)
		total = split(words, word)
		for (w = 1; w <= total; w++) {
			best = length(word[w]) > 6 ? 3 : 2
			found = ""
			for (n = 1; n <= count; n++) {
				off = length(word[w]) - length(name[n])
				if (length(name[n]) < 3 || off >= best || -off >= best) continue
				d = distance(word[w], name[n])
				if (d < best) { best = d; found = name[n] }
			}
			if (found != "") print word[w], found
		}
	}
	# Levenshtein
	function distance(a, b,    i, j, cost, m) {
		for (i = 0; i <= length(a); i++) m[i, 0] = i
		for (j = 0; j <= length(b); j++) m[0, j] = j
		for (i = 1; i <= length(a); i++)
			for (j = 1; j <= length(b); j++) {
				cost = substr(a, i, 1) != substr(b, j, 1)
				m[i, j] = m[i - 1, j - 1] + cost
				if (m[i - 1, j] + 1 < m[i, j]) m[i, j] = m[i - 1, j] + 1
				if (m[i, j - 1] + 1 < m[i, j]) m[i, j] = m[i, j - 1] + 1
			}
		return m[length(a), length(b)]
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
		say "net_timeout=$p_net_timeout: not a number of seconds, 30 it is"
		p_net_timeout=30
		;;
	esac
	# a number with a zero before it would be octal to the shell, and 08 an error that ends it
	while :; do
		case $p_net_timeout in 0?*) p_net_timeout=${p_net_timeout#0} ;; *) break ;; esac
	done
	[ -n "$has_real_init" ] || p_real_init=/sbin/init
	for implied in "$p_ip" "$p_nameserver" "$p_vlan" "$p_bond" "$p_hostname" "$p_BOOTIF" \
		"$p_ssh" "$p_lldpd" "$p_ssh_keys_url" "$p_command_url"; do
		[ -z "$implied" ] || p_net=yes
	done
}
