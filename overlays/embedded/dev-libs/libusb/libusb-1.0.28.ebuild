# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Library that talks to USB devices"
HOMEPAGE="https://libusb.info/"
SRC_URI="
	https://github.com/libusb/libusb/releases/download/v${PV}/${P}.tar.bz2
	mirror://debian/pool/main/libu/libusb-1.0/libusb-1.0_${PV}.orig.tar.bz2 -> ${P}.tar.bz2
"

LICENSE="LGPL-2.1+"
SLOT="1"
KEYWORDS="amd64"

src_configure() {
	econf --disable-{static,udev}
}

src_install() {
	default
	rm "${ED}/usr/$(get_libdir)"/*.la || die
}
