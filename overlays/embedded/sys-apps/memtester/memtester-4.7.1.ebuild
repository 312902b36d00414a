# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Tests memory from a running system"
HOMEPAGE="https://pyropus.ca./software/memtester/"
SRC_URI="
	https://pyropus.ca./software/memtester/old-versions/${P}.tar.gz
	mirror://debian/pool/main/m/memtester/memtester_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	# the first lines of these two files are the commands to compile and to link with
	sed -i "1s|^cc -O2|$(tc-getCC) ${CPPFLAGS} ${CFLAGS}|" conf-cc || die
	sed -i "1s|^cc -s|$(tc-getCC) ${CFLAGS} ${LDFLAGS}|" conf-ld || die
}

src_install() {
	dobin memtester
	doman memtester.8
}
