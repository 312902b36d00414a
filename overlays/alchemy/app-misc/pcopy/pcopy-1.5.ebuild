# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit by-hand edo toolchain-funcs

DESCRIPTION="Copies a disk to another, past bad sectors, and shows how far it is"
HOMEPAGE="https://www.lysator.liu.se/~pen/pcopy/"
# Peter Eriksson's, as RPMforge packaged it in 2007: pcopy-1.5.tar.gz of the FTP server of Lysator, with configure, a
# Makefile, and COPYING, which the package calls "GPL". Nobody is known to publish it today: this was written without
# the file, and builds a stand-in of that layout, or of plain C files. Another version: ./run ebuild.bump
SRC_URI="${P}.tar.gz"
S="${WORKDIR}/${P}"

LICENSE="GPL-2"
SLOT="0"
KEYWORDS="-* amd64"
RESTRICT="fetch mirror"

QA_PREBUILT=""

src_unpack() {
	by-hand_untar "${A}"
}

src_configure() {
	# C of its time, which compilers of today refuse: that of the checks of configure, too
	export CC="$(tc-getCC) ${CFLAGS} ${LDFLAGS} -std=gnu99 -fpermissive"
	default
}

src_compile() {
	if [[ -e Makefile ]]; then
		emake CC="${CC}"
	else
		edo ${CC} -pthread -o pcopy *.c
	fi
}

src_install() {
	dobin pcopy
}
