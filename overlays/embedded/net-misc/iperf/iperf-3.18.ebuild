# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit unpacker

DESCRIPTION="Measures the bandwidth of TCP and UDP: the series 3, with JSON"
HOMEPAGE="https://software.es.net/iperf/"
# Debian's build, with its security patches: the source of no release after 3.9 is on every mirror of Debian. The
# library of SCTP, which no other program here wants, is Debian's too, in a folder of its own.
SRC_URI="
	mirror://debian/pool/main/i/iperf3/iperf3_${PV}-2+deb13u2_amd64.deb
	mirror://debian/pool/main/i/iperf3/libiperf0_${PV}-2+deb13u2_amd64.deb
	mirror://debian/pool/main/l/lksctp-tools/libsctp1_1.0.21+dfsg-1_amd64.deb
"
S="${WORKDIR}"

LICENSE="BSD LGPL-2.1+"
SLOT="3"
KEYWORDS="-* amd64"

RDEPEND="dev-libs/openssl:0/3"
BDEPEND="dev-util/patchelf"

QA_PREBUILT="*"

src_compile() {
	# DT_RPATH, as it holds for what the libraries need in turn
	patchelf --force-rpath --set-rpath "${EPREFIX}/usr/$(get_libdir)/iperf3" usr/bin/iperf3 || die
}

src_install() {
	dobin usr/bin/iperf3
	exeinto "/usr/$(get_libdir)/iperf3"
	newexe usr/lib/x86_64-linux-gnu/libiperf.so.0.* libiperf.so.0
	newexe usr/lib/x86_64-linux-gnu/libsctp.so.1.* libsctp.so.1
}
