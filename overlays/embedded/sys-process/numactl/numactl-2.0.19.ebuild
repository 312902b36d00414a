# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo

DESCRIPTION="Runs a program on chosen NUMA nodes, and says what the nodes are"
HOMEPAGE="https://github.com/numactl/numactl"
SRC_URI="
	https://github.com/numactl/numactl/releases/download/v${PV}/${P}.tar.gz
	mirror://debian/pool/main/n/numactl/numactl_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="GPL-2 LGPL-2.1"
SLOT="0"
KEYWORDS="amd64"

src_prepare() {
	default
	edo autoreconf -fi
}

src_configure() {
	econf --disable-static
}

src_install() {
	default
	rm "${ED}"/usr/bin/{memhog,migspeed} "${ED}/usr/$(get_libdir)"/*.la || die
}
