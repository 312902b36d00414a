# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo

DESCRIPTION="brctl: Ethernet bridges, by the commands of old"
HOMEPAGE="https://git.kernel.org/pub/scm/network/bridge/bridge-utils.git"
SRC_URI="
	https://www.kernel.org/pub/linux/utils/net/bridge-utils/${P}.tar.xz
	mirror://debian/pool/main/b/bridge-utils/bridge-utils_${PV}.orig.tar.xz -> ${P}.tar.xz
"

LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"

src_prepare() {
	default
	edo autoreconf -fi
}

src_install() {
	dosbin brctl/brctl
	doman doc/brctl.8
}
