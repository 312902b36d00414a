# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

MY_P="xz-${PV}"
DESCRIPTION="The LZMA compression library and its tools"
HOMEPAGE="https://tukaani.org/xz/"
SRC_URI="
	https://github.com/tukaani-project/xz/releases/download/v${PV}/${MY_P}.tar.xz
	mirror://debian/pool/main/x/xz-utils/${PN}_${PV}.orig.tar.xz -> ${MY_P}.tar.xz
"
S="${WORKDIR}/${MY_P}"

LICENSE="0BSD GPL-2+ LGPL-2.1+"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	econf --disable-static --disable-nls --disable-doc --disable-rpath \
		--disable-lzmadec --disable-lzmainfo --disable-xzdec --enable-scripts
}

src_install() {
	default
	find "${D}" -name '*.la' -delete || die
}
