# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Library that captures packets"
HOMEPAGE="https://www.tcpdump.org/"
SRC_URI="
	https://www.tcpdump.org/release/${P}.tar.xz
	mirror://debian/pool/main/libp/libpcap/libpcap_${PV}.orig.tar.xz -> ${P}.tar.xz
"

LICENSE="BSD"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	econf --enable-ipv6 --disable-{bluetooth,dbus,rdma,remote,usb} --without-{libnl,dag,dpdk,septel,snf,turbocap}
}

src_install() {
	default
	rm "${ED}/usr/$(get_libdir)"/libpcap.a || die
}
