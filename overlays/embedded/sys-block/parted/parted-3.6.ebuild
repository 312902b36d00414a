# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Makes, resizes and shows partitions of any table: MBR, GPT and a dozen more"
HOMEPAGE="https://www.gnu.org/software/parted/"
SRC_URI="
	https://ftp.gnu.org/gnu/parted/${P}.tar.xz
	mirror://debian/pool/main/p/parted/parted_${PV}.orig.tar.xz -> ${P}.tar.xz
"

LICENSE="GPL-3+"
SLOT="0/2"
KEYWORDS="amd64"

DEPEND="
	sys-apps/util-linux
	sys-libs/ncurses
	sys-libs/readline:=
"
RDEPEND="${DEPEND}"

src_configure() {
	tc-export PKG_CONFIG
	# without its assertions, which do work, it crashes when it ends
	econf --disable-static --disable-device-mapper --disable-nls --disable-rpath \
		--without-libiconv-prefix --without-libintl-prefix --with-readline
}

src_install() {
	default
	rm "${ED}/usr/$(get_libdir)"/*.la || die
}
