# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Arithmetic with numbers of any size"
HOMEPAGE="https://gmplib.org/"
SRC_URI="mirror://debian/pool/main/g/gmp/gmp_${PV}+dfsg.orig.tar.xz -> ${P}-debian.tar.xz"
S="${WORKDIR}/${P}+dfsg"

LICENSE="|| ( LGPL-3+ GPL-2+ )"
SLOT="0/10"
KEYWORDS="amd64"

src_prepare() {
	default
	# Debian's archive leaves out the manual, and configure asks for its Makefile
	mkdir -p doc && echo "all install:" >doc/Makefile.in || die
}

src_configure() {
	# for the processor that runs it, not for the one that builds it
	ABI=64 econf --enable-fat --disable-{cxx,static}
}
