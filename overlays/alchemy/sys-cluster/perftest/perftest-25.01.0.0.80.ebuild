# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

MY_PV="${PV/.0.80/-0.80}"
MY_P="${PN}-${MY_PV}.g6730e97"

DESCRIPTION="Bandwidth and latency of RDMA: ib_write_bw, ib_send_lat and their family"
HOMEPAGE="https://github.com/linux-rdma/perftest"
SRC_URI="
	https://github.com/linux-rdma/perftest/releases/download/${MY_PV}/${MY_P}.tar.gz
	mirror://debian/pool/main/p/perftest/perftest_${PV/.0.80/+0.80}.orig.tar.gz -> ${MY_P}.tar.gz
"
S="${WORKDIR}/${P%.*.*}"

LICENSE="|| ( GPL-2 BSD-2 )"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	sys-apps/pciutils
	sys-cluster/rdma-core
"
RDEPEND="${DEPEND}"

src_install() {
	dobin ib_{atomic,read,send,write}_{bw,lat} raw_ethernet_{bw,lat}
}
