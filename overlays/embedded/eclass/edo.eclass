# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

# @ECLASS: edo.eclass
# @BLURB: runs a command after printing it, and dies when it fails (a subset of Gentoo's eclass of that name)
# @SUPPORTED_EAPIS: 8

case ${EAPI} in
	8) ;;
	*) die "${ECLASS}: EAPI ${EAPI:-0} not supported" ;;
esac

if [[ -z ${_EDO_ECLASS} ]]; then
_EDO_ECLASS=1

edo() {
	einfo "${*@Q}"
	"$@" || die -n "Failed to run command: ${*@Q}"
}

fi
