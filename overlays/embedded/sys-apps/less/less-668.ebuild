# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Pager: pages and searches text"
HOMEPAGE="https://www.greenwoodsoftware.com/less/"
SRC_URI="
	https://www.greenwoodsoftware.com/less/${P}.tar.gz
	mirror://debian/pool/main/l/less/less_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="GPL-3+"
SLOT="0"
KEYWORDS="amd64"

DEPEND="sys-libs/ncurses:="
RDEPEND="${DEPEND}"

src_configure() {
	econf --with-editor=vi
}
