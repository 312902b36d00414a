# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

# @ECLASS: toolchain-funcs.eclass
# @BLURB: the names of the toolchain's programs (a subset of Gentoo's eclass of that name)
# @SUPPORTED_EAPIS: 8

case ${EAPI} in
	8) ;;
	*) die "${ECLASS}: EAPI ${EAPI:-0} not supported" ;;
esac

if [[ -z ${_TOOLCHAIN_FUNCS_ECLASS} ]]; then
_TOOLCHAIN_FUNCS_ECLASS=1

# @FUNCTION: _tc-get
# @USAGE: <host variable> <build variable> <program>
# @INTERNAL
# Prints the variable's value, or the first of CHOST-program and program that exists. Sets the variable.
_tc-get() {
	local var=$1 prefix=$2 prog=$3

	if [[ -z ${!var} ]]; then
		if [[ -n ${prefix} ]] && type -P "${prefix}-${prog}" >/dev/null; then
			prog=${prefix}-${prog}
		fi
		export "${var}=${prog}"
	fi
	echo "${!var}"
}

tc-getAR() { _tc-get AR "${CHOST}" ar; }
tc-getAS() { _tc-get AS "${CHOST}" as; }
tc-getCC() { _tc-get CC "${CHOST}" gcc; }
tc-getCPP() { [[ -n ${CPP} ]] || export CPP="$(tc-getCC) -E"; echo "${CPP}"; }
tc-getCXX() { _tc-get CXX "${CHOST}" g++; }
tc-getLD() { _tc-get LD "${CHOST}" ld; }
tc-getNM() { _tc-get NM "${CHOST}" nm; }
tc-getOBJCOPY() { _tc-get OBJCOPY "${CHOST}" objcopy; }
tc-getOBJDUMP() { _tc-get OBJDUMP "${CHOST}" objdump; }
tc-getPKG_CONFIG() { _tc-get PKG_CONFIG "${CHOST}" pkg-config; }
tc-getRANLIB() { _tc-get RANLIB "${CHOST}" ranlib; }
tc-getREADELF() { _tc-get READELF "${CHOST}" readelf; }
tc-getSTRIP() { _tc-get STRIP "${CHOST}" strip; }
tc-getBUILD_CC() { _tc-get BUILD_CC "${CBUILD:-${CHOST}}" gcc; }
tc-getBUILD_CXX() { _tc-get BUILD_CXX "${CBUILD:-${CHOST}}" g++; }

# @FUNCTION: tc-export
# @USAGE: <variable>...
# Exports the named variables (CC, AR, ...) with the names of the programs.
tc-export() {
	local var
	for var; do
		declare -F "tc-get${var}" >/dev/null || die "tc-export: unknown program ${var}"
		"tc-get${var}" >/dev/null
	done
}

# @FUNCTION: tc-is-cross-compiler
tc-is-cross-compiler() {
	[[ ${CBUILD:-${CHOST}} != "${CHOST}" ]]
}

fi
