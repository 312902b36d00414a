# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

# @ECLASS: unpacker.eclass
# @BLURB: unpacks Debian's packages (a subset of Gentoo's eclass of that name)
# @SUPPORTED_EAPIS: 8

case ${EAPI} in
	8) ;;
	*) die "${ECLASS}: EAPI ${EAPI:-0} not supported" ;;
esac

if [[ -z ${_UNPACKER_ECLASS} ]]; then
_UNPACKER_ECLASS=1

# @FUNCTION: unpack_deb
# @USAGE: <package of DISTDIR>
# @DESCRIPTION:
# Unpacks the files of a package (deb(5)) into the working directory.
unpack_deb() {
	local member
	member=$(ar t "${DISTDIR}/$1" | grep '^data\.tar') || die "$1: is no package of Debian's"
	ar p "${DISTDIR}/$1" "${member}" | tar -xf - "--${member##*.}"
	[[ ${PIPESTATUS[*]} == "0 0" ]] || die "cannot unpack $1"
}

unpacker_src_unpack() {
	local archive
	for archive in ${A}; do
		case ${archive} in
			*.deb) unpack_deb "${archive}" ;;
			*) unpack "${archive}" ;;
		esac
	done
}

fi

EXPORT_FUNCTIONS src_unpack
