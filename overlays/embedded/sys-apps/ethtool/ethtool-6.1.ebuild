# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Shows and sets a network card's driver, link, offloads, counters and firmware"
HOMEPAGE="https://www.kernel.org/pub/software/network/ethtool/"
SRC_URI="
	https://www.kernel.org/pub/software/network/ethtool/${P}.tar.xz
	mirror://debian/pool/main/e/ethtool/ethtool_${PV}.orig.tar.xz -> ${P}.tar.xz
"

LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	# its Netlink half needs libmnl: it works by ioctl alone
	econf --disable-netlink --enable-pretty-dump --without-bash-completion-dir
}
