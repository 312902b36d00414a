# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

MY_PV="02.19.git.2021.06.19.996aaad9c7"

DESCRIPTION="Lists the hardware of a machine"
HOMEPAGE="https://www.ezix.org/project/wiki/HardwareLiSter"
SRC_URI="mirror://debian/pool/main/l/lshw/lshw_${MY_PV}.orig.tar.xz -> ${P}-debian.tar.xz"
S="${WORKDIR}/${PN}-${MY_PV}"

LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"

RDEPEND="
	sys-apps/hwdata
	sys-libs/gcc-runtime
"

src_compile() {
	# it finds hwdata's lists of names by itself
	tc-export AR CXX LD
	emake -C src RPM_OPT_FLAGS="${CXXFLAGS}" SQLITE=0 VERSION="${PV}" ZLIB=0 lshw
}

src_install() {
	dosbin src/lshw
}
