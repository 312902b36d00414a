# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo

MY_PV="${PV/_p/+git}.3bc455b"
DESCRIPTION="Measures the throughput and the latency between two machines"
HOMEPAGE="https://github.com/HewlettPackard/netperf"
SRC_URI="mirror://debian/pool/main/n/netperf/netperf_${MY_PV}+ds.orig.tar.xz -> ${P}-debian.tar.xz"
S="${WORKDIR}/${PN}-${MY_PV}"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"

src_prepare() {
	default
	edo autoreconf -fi -I src/missing/m4
}

src_configure() {
	# it defines a variable in more than one file
	CFLAGS+=" -std=gnu17 -fcommon -Wno-implicit-function-declaration -Wno-implicit-int" \
		econf --enable-{burst,demo,omni} --disable-{dccp,sctp}
}

src_install() {
	dobin src/net{perf,server}
}
