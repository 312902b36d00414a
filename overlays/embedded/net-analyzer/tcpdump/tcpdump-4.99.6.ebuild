# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Shows and records the packets of a network"
HOMEPAGE="https://www.tcpdump.org/"
SRC_URI="
	https://www.tcpdump.org/release/${P}.tar.xz
	mirror://debian/pool/main/t/tcpdump/tcpdump_${PV}.orig.tar.xz -> ${P}.tar.xz
"

LICENSE="BSD"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	dev-libs/openssl:=
	net-libs/libpcap
"
RDEPEND="${DEPEND}"

src_configure() {
	econf --disable-{local-libpcap,smb} --with-crypto --without-{cap-ng,smi}
}

src_install() {
	dobin tcpdump
	doman tcpdump.1
}
