# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="The small and fast POSIX shell"
HOMEPAGE="http://gondor.apana.org.au/~herbert/dash/"
SRC_URI="
	http://gondor.apana.org.au/~herbert/dash/files/${P}.tar.gz
	mirror://debian/pool/main/d/dash/dash_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="BSD"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	econf --bindir="${EPREFIX}/usr/bin" --without-libedit
}
