# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit unpacker

DESCRIPTION="Shows and sets a network card's driver, link, offloads, counters and firmware"
HOMEPAGE="https://www.kernel.org/pub/software/network/ethtool/"
# Debian's build: the source of no release after 6.1 is on every mirror of Debian
SRC_URI="mirror://debian/pool/main/e/ethtool/ethtool_${PV}-1_amd64.deb"
S="${WORKDIR}"

LICENSE="GPL-2"
SLOT="0"
KEYWORDS="-* amd64"

RDEPEND="net-libs/libmnl"

QA_PREBUILT="*"

src_install() {
	dosbin usr/sbin/ethtool
}
