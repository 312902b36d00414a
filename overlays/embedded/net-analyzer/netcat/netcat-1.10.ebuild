# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="nc: reads and writes network connections, Hobbit's own"
HOMEPAGE="https://nc110.sourceforge.io/"
SRC_URI="mirror://debian/pool/main/n/netcat/netcat_${PV}.orig.tar.bz2 -> ${P}-debian.tar.bz2"
S="${WORKDIR}/${P}.orig"

LICENSE="public-domain"
SLOT="0"
KEYWORDS="amd64"

src_compile() {
	# resolv.h gives res_init its name of today; GAPING_SECURITY_HOLE is upstream's name for -e, which runs a program
	emake LD="$(tc-getCC) -std=gnu89 ${CFLAGS}" DFLAGS="-include resolv.h -DLINUX -DTELNET -DGAPING_SECURITY_HOLE" \
		STATIC= XFLAGS="${LDFLAGS}" XLIBS=-lresolv nc
}

src_install() {
	dobin nc
}
