# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

# @ECLASS: by-hand.eclass
# @BLURB: a vendor's program, which only its user may fetch
# @SUPPORTED_EAPIS: 8
# @DESCRIPTION:
# An ebuild has the file's bare name in SRC_URI, and the page where it is in HOMEPAGE. The program is installed into
# /opt/PN with the libraries that came with it, and a wrapper in /opt/bin lets it find them.

case ${EAPI} in
	8) ;;
	*) die "${ECLASS}: EAPI ${EAPI:-0} not supported" ;;
esac

if [[ -z ${_BY_HAND_ECLASS} ]]; then
_BY_HAND_ECLASS=1

S="${WORKDIR}"

RESTRICT="bindist fetch mirror strip"

QA_PREBUILT="*"

by-hand_pkg_nofetch() {
	einfo "Fetch ${A} by hand from ${HOMEPAGE}"
	einfo "and put it into your DISTDIR (with Alchemy Linux: into distfiles/)."
}

# @FUNCTION: by-hand_unzip
# @USAGE: <file of DISTDIR>
# Python's module does it, as a build root may be without unzip.
by-hand_unzip() {
	python3 -m zipfile --extract "${DISTDIR}/$1" . || die "cannot unzip $1"
}

# @FUNCTION: by-hand_untar
# @USAGE: <file of DISTDIR>
# @DESCRIPTION:
# Unpacks a tarball into S, however it is compressed, and whether its files are in a folder or not: what a person kept of
# a program has the name that the ebuild asks for, and no more in common with other copies.
by-hand_untar() {
	mkdir "${WORKDIR}/unpacked" || die
	tar --extract --no-same-owner --file "${DISTDIR}/$1" --directory "${WORKDIR}/unpacked" || die "cannot unpack $1"
	local inside=( "${WORKDIR}"/unpacked/* )
	if [[ ${#inside[@]} != 1 || ! -d ${inside[0]} ]]; then
		inside=( "${WORKDIR}/unpacked" )
	fi
	mv "${inside[0]}" "${S}" || die
}

# @FUNCTION: by-hand_unrpm
# @USAGE: <file>
# @DESCRIPTION:
# An RPM package is a lead of 96 bytes, two headers, of which the first is padded to 8 bytes, and an archive of cpio. A
# header is 16 bytes, which end in the number of its entries, of 16 bytes each, and the size of their values.
by-hand_unrpm() {
	local at=96 counts header
	for header in signature metadata; do
		read -r -a counts < <(od -An -t u4 --endian=big -j $(( at + 8 )) -N 8 "$1")
		(( at += 16 + 16 * counts[0] + counts[1] ))
		[[ ${header} == signature ]] && (( at = (at + 7) / 8 * 8 ))
	done
	tail -c +$(( at + 1 )) "$1" > "${T}/payload" || die
	local decompress=cat
	case $(od -An -t x1 -N 4 "${T}/payload") in
		" fd 37 7a 58") decompress=xz ;;
		" 1f 8b "*) decompress=gzip ;;
		" 28 b5 2f fd") decompress=zstd ;;
	esac
	if [[ ${decompress} != cat ]]; then
		decompress+=" --decompress --stdout"
	fi
	${decompress} < "${T}/payload" | cpio --extract --make-directories --quiet || die "cannot unpack $1"
}

# @FUNCTION: by-hand_install
# @USAGE: <program> <command> [library...]
by-hand_install() {
	local program=$1 command=$2
	exeinto "/opt/${PN}"
	doexe "${program}" "${@:3}"
	cat > "${T}/${command}" <<-EOF || die
		#!/bin/sh
		LD_LIBRARY_PATH=/opt/${PN} exec "/opt/${PN}/${program##*/}" "\$@"
	EOF
	exeinto /opt/bin
	doexe "${T}/${command}"
}

fi

EXPORT_FUNCTIONS pkg_nofetch
