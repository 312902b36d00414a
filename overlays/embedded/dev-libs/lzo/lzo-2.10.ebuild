# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="The LZO compression library"
HOMEPAGE="https://www.oberhumer.com/opensource/lzo/"
SRC_URI="
	https://www.oberhumer.com/opensource/lzo/download/${P}.tar.gz
	mirror://debian/pool/main/l/lzo2/lzo2_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="GPL-2+"
SLOT="2"
KEYWORDS="amd64"

src_configure() {
	econf --enable-shared --disable-static
}

src_install() {
	default
	rm "${ED}/usr/$(get_libdir)"/*.la || die
}
