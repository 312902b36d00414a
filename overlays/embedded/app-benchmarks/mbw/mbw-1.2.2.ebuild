# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo toolchain-funcs

DESCRIPTION="Measures memory bandwidth by copying arrays"
HOMEPAGE="https://github.com/raas/mbw"
SRC_URI="mirror://debian/pool/main/m/mbw/mbw_${PV}.orig.tar.gz -> ${P}-debian.tar.gz"

LICENSE="LGPL-2.1"
SLOT="0"
KEYWORDS="amd64"

src_compile() {
	# its Makefile overrides every flag
	edo $(tc-getCC) ${CPPFLAGS} ${CFLAGS} ${LDFLAGS} -o mbw mbw.c
}

src_install() {
	dobin mbw
	doman mbw.1
}
