# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Tells what a file is by what is in it"
HOMEPAGE="https://www.darwinsys.com/file/"
SRC_URI="
	https://astron.com/pub/file/${P}.tar.gz
	mirror://debian/pool/main/f/file/file_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="BSD-2"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	app-arch/xz-utils
	sys-libs/zlib
"
RDEPEND="${DEPEND}"

src_configure() {
	econf --enable-{xzlib,zlib} --disable-{bzlib,libseccomp,lrziplib,lzlib,static,zstdlib}
}

src_install() {
	default
	rm "${ED}/usr/$(get_libdir)"/*.la || die
}
