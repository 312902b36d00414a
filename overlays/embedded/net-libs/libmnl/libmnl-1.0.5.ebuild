# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit unpacker

DESCRIPTION="Library of Netlink, small and plain"
HOMEPAGE="https://www.netfilter.org/projects/libmnl/"
# Debian's build, as its source is not on every mirror of Debian
SRC_URI="mirror://debian/pool/main/libm/libmnl/libmnl0_${PV}-3_amd64.deb"
S="${WORKDIR}"

LICENSE="LGPL-2.1+"
SLOT="0"
KEYWORDS="-* amd64"

QA_PREBUILT="*"

src_install() {
	dolib.so usr/lib/*/libmnl.so.*
}
