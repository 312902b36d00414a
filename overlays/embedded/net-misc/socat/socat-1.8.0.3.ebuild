# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Connects two streams of bytes, of any kind: sockets, files, terminals, programs"
HOMEPAGE="http://www.dest-unreach.org/socat/"
SRC_URI="
	http://www.dest-unreach.org/socat/download/${P}.tar.bz2
	mirror://debian/pool/main/s/socat/socat_${PV}.orig.tar.bz2 -> ${P}.tar.bz2
"

LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	dev-libs/openssl:=
	sys-libs/readline:=
"
RDEPEND="${DEPEND}"

src_configure() {
	econf --disable-libwrap
}

src_install() {
	dobin socat
	doman doc/socat.1
}
