# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit by-hand

DESCRIPTION="The command line of Broadcom's MegaRAID and tri-mode controllers"
HOMEPAGE="https://www.broadcom.com/support/download-search?dk=storcli"
# what Broadcom calls STORCLI_SAS3.5_P38.zip
SRC_URI="${P}.zip"

LICENSE="Avago LSI BSD"
SLOT="0"
KEYWORDS="-* amd64"

RDEPEND="sys-libs/gcc-runtime"

src_unpack() {
	by-hand_unzip "${A}"
	by-hand_unrpm STORCLI_*/univ_viva_cli_rel/Unified_storcli_all_os/Linux/${PN}-00${PV}.0000.0000-1.noarch.rpm
}

src_install() {
	by-hand_install opt/MegaRAID/storcli/storcli64 storcli
	dosym storcli /opt/bin/storcli64
}
