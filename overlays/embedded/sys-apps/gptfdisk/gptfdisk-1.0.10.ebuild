# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="gdisk, sgdisk and cgdisk: GPT partition tables, by hand, by script, and repaired"
HOMEPAGE="https://www.rodsbooks.com/gdisk/"
SRC_URI="
	https://downloads.sourceforge.net/gptfdisk/${P}.tar.gz
	mirror://debian/pool/main/g/gdisk/gdisk_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	dev-libs/popt
	sys-apps/util-linux
	sys-libs/ncurses
"
RDEPEND="
	${DEPEND}
	sys-libs/gcc-runtime
"

src_compile() {
	emake CXX="$(tc-getCXX)" CGDISK_LDLIBS="-lncursesw -ltinfo"
}

src_install() {
	dosbin gdisk sgdisk cgdisk fixparts
}
