# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Winds, positions and sets up tape drives"
HOMEPAGE="https://github.com/iustin/mt-st"
SRC_URI="
	https://github.com/iustin/mt-st/releases/download/v${PV}/${P}.tar.gz
	mirror://debian/pool/main/m/mt-st/mt-st_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="amd64"

src_compile() {
	emake CC="$(tc-getCC)" CFLAGS="${CFLAGS}"
}

src_install() {
	dobin mt
	dosbin stinit
}
