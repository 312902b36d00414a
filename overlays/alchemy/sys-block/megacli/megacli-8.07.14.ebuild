# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit by-hand

DESCRIPTION="The command line of LSI's and Dell's MegaRAID controllers up to 2014"
HOMEPAGE="https://www.broadcom.com/site-search?q=8-07-14_MegaCLI.zip"
SRC_URI="8-07-14_MegaCLI.zip"

LICENSE="LSI"
SLOT="0"
KEYWORDS="-* amd64"

RDEPEND="
	sys-libs/gcc-runtime
	sys-libs/ncurses
"

src_unpack() {
	by-hand_unzip "${A}"
	by-hand_unrpm "Linux/MegaCli-${PV}-1.noarch.rpm"
}

src_install() {
	by-hand_install opt/MegaRAID/MegaCli/MegaCli64 megacli opt/MegaRAID/MegaCli/libstorelibir-2.so.14.07-0
	# it was linked with the ncurses of its day, of which it calls what has not changed
	dosym -r "/usr/$(get_libdir)/libncursesw.so.6" "/opt/${PN}/libncurses.so.5"
	dosym megacli /opt/bin/MegaCli64
}
