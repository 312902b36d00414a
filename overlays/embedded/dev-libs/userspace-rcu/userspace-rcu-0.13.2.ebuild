# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Read-copy-update for programs"
HOMEPAGE="https://liburcu.org/"
SRC_URI="
	https://lttng.org/files/urcu/${P}.tar.bz2
	mirror://debian/pool/main/libu/liburcu/liburcu_${PV}.orig.tar.bz2 -> ${P}.tar.bz2
"

LICENSE="LGPL-2.1+ MIT"
SLOT="0/8"
KEYWORDS="amd64"

src_configure() {
	econf --disable-static
}

src_install() {
	default
	rm "${ED}/usr/$(get_libdir)"/*.la || die
	# of its flavours, the one that programs here use
	rm "${ED}/usr/$(get_libdir)"/liburcu-{bp,cds,mb,qsbr,signal}.so* || die
}
