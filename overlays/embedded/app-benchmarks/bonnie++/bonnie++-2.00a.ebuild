# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit unpacker

DESCRIPTION="Measures a file system: throughput, seeks, files created and deleted"
HOMEPAGE="https://www.coker.com.au/bonnie++/"
# Debian's build: its source is not on every mirror of Debian
SRC_URI="mirror://debian/pool/main/b/${PN}/${P/-/_}+nmu3_amd64.deb"
S="${WORKDIR}"

LICENSE="GPL-2"
SLOT="0"
KEYWORDS="-* amd64"

RDEPEND="sys-libs/gcc-runtime"

QA_PREBUILT="*"

src_install() {
	# its other programs test it, or make web pages
	dosbin usr/sbin/{bonnie++,zcav}
}
