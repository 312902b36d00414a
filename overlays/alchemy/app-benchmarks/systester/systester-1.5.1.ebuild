# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit by-hand toolchain-funcs

DESCRIPTION="Calculates pi with every core, and compares the digits"
HOMEPAGE="https://sourceforge.net/projects/systester/files/systester/1.5.0/"
SRC_URI="${P}.tar.gz"
S="${WORKDIR}/${P}/cli"

LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="-* amd64"
RESTRICT="fetch mirror"

RDEPEND="
	dev-libs/gmp:=
	sys-libs/gcc-runtime
"
DEPEND="dev-libs/gmp:="

QA_PREBUILT=""

src_compile() {
	emake CC="$(tc-getCC)" CXX="$(tc-getCXX)"
}

src_install() {
	dobin systester-cli
}
