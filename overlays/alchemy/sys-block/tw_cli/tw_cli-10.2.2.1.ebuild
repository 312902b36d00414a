# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit by-hand

DESCRIPTION="The command line of 3ware's RAID controllers"
HOMEPAGE="https://www.broadcom.com/support/knowledgebase/1211161501805/debian-8-twcli-causes-fault-segment-failure"
# the only one of its programs that runs on kernels of after 2014
SRC_URI="368_tw_cli_debian8_beta.tgz"

LICENSE="LSI-tw_cli"
SLOT="0"
KEYWORDS="-* amd64"

RDEPEND="sys-libs/gcc-runtime"

src_install() {
	by-hand_install debian8/x86_64/tw_cli tw_cli
}
