# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit by-hand toolchain-funcs

DESCRIPTION="Measures file systems by sizes of files and of records"
HOMEPAGE="https://www.iozone.org/"
SRC_URI="${PN}${PV/./_}.tgz"
S="${WORKDIR}/${PN}${PV/./_}/src/current"

LICENSE="freedist"
SLOT="0"
KEYWORDS="-* amd64"
RESTRICT="bindist fetch mirror"

QA_PREBUILT=""

src_compile() {
	emake CC="$(tc-getCC)" linux-AMD64
}

src_install() {
	dobin iozone
}
