# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit unpacker

DESCRIPTION="nft: packet filtering, and what replaced iptables"
HOMEPAGE="https://www.netfilter.org/projects/nftables/"
# Debian's build, as its source is not on every mirror of Debian; with the libraries whose names are Debian's own
SRC_URI="
	mirror://debian/pool/main/n/nftables/nftables_${PV}-1_amd64.deb
	mirror://debian/pool/main/n/nftables/libnftables1_${PV}-1_amd64.deb
	mirror://debian/pool/main/libe/libedit/libedit2_3.1-20250104-1_amd64.deb
	mirror://debian/pool/main/libb/libbsd/libbsd0_0.12.2-2_amd64.deb
	mirror://debian/pool/main/libm/libmd/libmd0_1.1.0-2+b1_amd64.deb
"
S="${WORKDIR}"

LICENSE="GPL-2 BSD"
SLOT="0"
KEYWORDS="-* amd64"

RDEPEND="
	dev-libs/gmp
	dev-libs/jansson
	net-firewall/iptables
	net-libs/libmnl
	net-libs/libnftnl
	sys-libs/ncurses
"

QA_PREBUILT="*"

src_install() {
	dosbin usr/sbin/nft
	dolib.so usr/lib/*/lib*.so.*
}
