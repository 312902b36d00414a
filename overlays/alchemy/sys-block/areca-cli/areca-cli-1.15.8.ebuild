# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit by-hand

DESCRIPTION="The command line of Areca's RAID controllers"
HOMEPAGE="https://www.areca.com.tw/support/downloads.html"
SRC_URI="linuxcli_V${PV}_180529.zip"

LICENSE="areca"
SLOT="0"
KEYWORDS="-* amd64"

RDEPEND="sys-libs/gcc-runtime"

src_unpack() {
	by-hand_unzip "${A}"
}

src_install() {
	by-hand_install linuxcli_*/x86_64/cli64 areca-cli
	dosym areca-cli /opt/bin/cli64
}
