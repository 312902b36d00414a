# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Measures the bandwidth of TCP and UDP: the series 3, with JSON"
HOMEPAGE="https://software.es.net/iperf/"
# the newest whose source every mirror has
SRC_URI="
	https://github.com/esnet/iperf/archive/refs/tags/${PV}.tar.gz -> ${P}.gh.tar.gz
	mirror://debian/pool/main/i/iperf3/iperf3_${PV}.orig.tar.gz -> ${P}.gh.tar.gz
"

LICENSE="BSD"
SLOT="3"
KEYWORDS="amd64"

DEPEND="dev-libs/openssl:="
RDEPEND="${DEPEND}"

src_configure() {
	econf --disable-{profiling,static} --with-openssl="${ESYSROOT}/usr" --without-sctp
}

src_install() {
	default
	rm -f "${ED}/usr/$(get_libdir)"/*.la || die
}
