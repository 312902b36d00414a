# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Sends SCSI commands to disks, tapes, enclosures: inquiry, logs, format"
HOMEPAGE="https://sg.danny.cz/sg/sg3_utils.html"
SRC_URI="
	https://sg.danny.cz/sg/p/${P}.tar.xz
	mirror://debian/pool/main/s/sg3-utils/sg3-utils_${PV}.orig.tar.xz -> ${P}.tar.xz
"

LICENSE="BSD-2 GPL-2+"
SLOT="0/2"
KEYWORDS="amd64"

src_configure() {
	econf --disable-static
}

src_install() {
	default
	rm "${ED}/usr/$(get_libdir)"/*.la || die
}
