# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit unpacker

DESCRIPTION="wg and wg-quick, which set up WireGuard's tunnels"
HOMEPAGE="https://www.wireguard.com/"
# Debian's build, as its source is not on every mirror of Debian
SRC_URI="mirror://debian/pool/main/w/wireguard/wireguard-tools_${PV}-3_amd64.deb"
S="${WORKDIR}"

LICENSE="GPL-2"
SLOT="0"
KEYWORDS="-* amd64"

RDEPEND="
	app-shells/bash
	net-firewall/nftables
	sys-apps/iproute2
"

QA_PREBUILT="*"

src_install() {
	dobin usr/bin/wg{,-quick}
}
