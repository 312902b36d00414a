# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit meson

DESCRIPTION="Shows, formats and updates NVMe drives, and connects those on the network"
HOMEPAGE="https://github.com/linux-nvme/nvme-cli"
SRC_URI="mirror://debian/pool/main/n/nvme-cli/nvme-cli_${PV}.orig.tar.xz -> ${P}-debian.tar.xz"

LICENSE="GPL-2 GPL-2+"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	dev-libs/json-c:=
	sys-libs/libnvme:=
"
RDEPEND="${DEPEND}"

src_configure() {
	local emesonargs=( -Djson-c=enabled -Ddocs=false -Dversion-tag="${PV}" )
	meson_src_configure
}

src_install() {
	dosbin "${BUILD_DIR}"/nvme
}
