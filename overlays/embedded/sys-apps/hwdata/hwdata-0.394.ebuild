# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="The names of PCI and USB devices and of monitors' makers"
HOMEPAGE="https://github.com/vcrhonek/hwdata"
SRC_URI="
	https://github.com/vcrhonek/hwdata/archive/refs/tags/v${PV}.tar.gz -> ${P}.tar.gz
	mirror://debian/pool/main/h/hwdata/hwdata_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="amd64"

src_configure() { :; }

src_compile() { :; }

src_install() {
	insinto /usr/share/hwdata
	doins {pci,usb,pnp}.ids
}
