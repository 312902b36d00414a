# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Shows folders as a tree"
HOMEPAGE="https://oldmanprogrammer.net/source.php?dir=projects/tree"
# the newest whose source every mirror has
SRC_URI="
	https://oldmanprogrammer.net/tar/tree/${P}.tgz -> ${P}.tar.gz
	mirror://debian/pool/main/t/tree/tree_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="amd64"

src_compile() {
	emake CC="$(tc-getCC)" LDFLAGS="${LDFLAGS}" CFLAGS="${CFLAGS} -std=c11 -D_LARGEFILE64_SOURCE -D_FILE_OFFSET_BITS=64"
}

src_install() {
	dobin tree
	doman doc/tree.1
}
