# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Measures the bandwidth of TCP and UDP: the series 2, with threads and multicast"
HOMEPAGE="https://sourceforge.net/projects/iperf2/"
SRC_URI="mirror://debian/pool/main/i/iperf/iperf_${PV}+dfsg.orig.tar.xz -> ${P}-debian.tar.xz"
S="${WORKDIR}/${P}+dfsg"

LICENSE="NCSA"
SLOT="2"
KEYWORDS="amd64"

RDEPEND="sys-libs/gcc-runtime"

src_prepare() {
	default
	# Debian's archive leaves out what is for Windows only, and the Makefile asks for it
	>src/service.c || die
}

src_install() {
	dobin src/iperf
	doman man/iperf.1
}
