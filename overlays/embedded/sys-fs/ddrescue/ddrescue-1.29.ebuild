# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo toolchain-funcs

DESCRIPTION="Copies what can be read of a failing disk, and comes back for the rest"
HOMEPAGE="https://www.gnu.org/software/ddrescue/"
# upstream packs with lzip
SRC_URI="mirror://debian/pool/main/g/gddrescue/gddrescue_${PV}.orig.tar.xz -> ${P}-debian.tar.xz"
S="${WORKDIR}/gddrescue-${PV}"

LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="amd64"

RDEPEND="sys-libs/gcc-runtime"

src_configure() {
	# a configure of its own, not autoconf's
	edo ./configure --prefix="${EPREFIX}/usr" CXX="$(tc-getCXX)" CXXFLAGS="${CXXFLAGS}" LDFLAGS="${LDFLAGS}"
}

src_install() {
	dobin ddrescue ddrescuelog
}
