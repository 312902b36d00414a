# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo

DESCRIPTION="Interactive list of processes"
HOMEPAGE="https://htop.dev/"
SRC_URI="
	https://github.com/htop-dev/htop/archive/refs/tags/${PV}.tar.gz -> ${P}.gh.tar.gz
	mirror://debian/pool/main/h/htop/htop_${PV}.orig.tar.gz -> ${P}.gh.tar.gz
"

LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="amd64"

DEPEND="sys-libs/ncurses:="
RDEPEND="${DEPEND}"

src_prepare() {
	default
	edo autoreconf -fi
}

src_configure() {
	econf --enable-unicode --enable-affinity \
		--disable-{ancient-vserver,capabilities,debug,delayacct,hwloc,openvz,pcp,sensors,static,unwind,vserver}
}

src_install() {
	dobin htop
	doman htop.1
}
