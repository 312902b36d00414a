# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit unpacker

DESCRIPTION="Reads, checks and writes flash chips: the firmware of a mainboard or a card"
HOMEPAGE="https://flashrom.org/"
# Debian's build, as its source is not on every mirror of Debian, nor are those of two of its libraries
SRC_URI="
	mirror://debian/pool/main/f/flashrom/flashrom_${PV}-3_amd64.deb
	mirror://debian/pool/main/libf/libftdi1/libftdi1-2_1.5-10_amd64.deb
	mirror://debian/pool/main/libj/libjaylink/libjaylink0_0.4.0-1_amd64.deb
"
S="${WORKDIR}"

LICENSE="GPL-2+ LGPL-2"
SLOT="0"
KEYWORDS="-* amd64"

RDEPEND="
	dev-libs/libusb:1
	sys-apps/pciutils
"

QA_PREBUILT="*"

src_install() {
	dosbin usr/sbin/flashrom
	dolib.so usr/lib/*/lib*.so.*
}
