# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit unpacker

DESCRIPTION="Library of nf_tables' Netlink interface"
HOMEPAGE="https://www.netfilter.org/projects/libnftnl/"
# Debian's build, as its source is not on every mirror of Debian
SRC_URI="mirror://debian/pool/main/libn/libnftnl/libnftnl11_${PV}-1_amd64.deb"
S="${WORKDIR}"

LICENSE="GPL-2+"
SLOT="0/11"
KEYWORDS="-* amd64"

RDEPEND="net-libs/libmnl"

QA_PREBUILT="*"

src_install() {
	dolib.so usr/lib/*/libnftnl.so.*
}
