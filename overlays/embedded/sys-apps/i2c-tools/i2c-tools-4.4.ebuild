# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="i2cdetect, i2cget, i2cset, i2cdump: the devices on a board's I2C and SMBus"
HOMEPAGE="https://i2c.wiki.kernel.org/index.php/I2C_Tools"
SRC_URI="
	https://www.kernel.org/pub/software/utils/i2c-tools/${P}.tar.xz
	mirror://debian/pool/main/i/i2c-tools/i2c-tools_${PV}.orig.tar.xz -> ${P}.tar.xz
"

LICENSE="GPL-2+ LGPL-2.1+"
SLOT="0"
KEYWORDS="amd64"

_make() {
	emake CC="$(tc-getCC)" AR="$(tc-getAR)" PREFIX="${EPREFIX}/usr" libdir="${EPREFIX}/usr/$(get_libdir)" \
		BUILD_STATIC_LIB=0 "$@"
}

src_compile() {
	_make
}

src_install() {
	_make DESTDIR="${D}" install
	# scripts of Perl and Python, which the image does not have, and the driver for tests
	find "${ED}" -type f \( -name ddcmon -o -name 'decode-*' -o -name 'i2c-stub-*' \) -delete || die
}
