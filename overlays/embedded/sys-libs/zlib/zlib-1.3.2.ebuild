# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo toolchain-funcs

DESCRIPTION="The deflate compression library"
HOMEPAGE="https://zlib.net/"
SRC_URI="mirror://debian/pool/main/z/zlib/zlib_1.3.dfsg+really${PV}.orig.tar.gz -> ${P}-debian.tar.gz"
S="${WORKDIR}/zlib-1.3.dfsg+really${PV}"

LICENSE="ZLIB"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	tc-export AR CC RANLIB
	# a configure of its own, not autoconf's: it knows neither --host nor --disable options
	CHOST="" edo ./configure --prefix="${EPREFIX}/usr" --libdir="${EPREFIX}/usr/$(get_libdir)" --shared
}

src_install() {
	default
	rm "${ED}/usr/$(get_libdir)/libz.a" || die
}
