# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Finds lost partitions, and with photorec lost files"
HOMEPAGE="https://www.cgsecurity.org/wiki/TestDisk"
SRC_URI="
	https://www.cgsecurity.org/${P}.tar.bz2
	mirror://debian/pool/main/t/testdisk/testdisk_${PV}.orig.tar.bz2 -> ${P}.tar.bz2
"

LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	sys-apps/util-linux
	sys-fs/e2fsprogs
	sys-libs/ncurses
	sys-libs/zlib
"
RDEPEND="${DEPEND}"

src_configure() {
	tc-export PKG_CONFIG
	econf --disable-qt --disable-sudo --without-{ewf,iconv,jpeg,ntfs,ntfs3g,reiserfs}
}
