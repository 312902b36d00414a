# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo toolchain-funcs

DESCRIPTION="Measures disks and file systems under the I/O that a job file describes"
HOMEPAGE="https://fio.readthedocs.io/ https://github.com/axboe/fio"
SRC_URI="
	https://brick.kernel.dk/snaps/${P}.tar.gz
	mirror://debian/pool/main/f/fio/fio_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	dev-libs/libaio
	sys-libs/zlib:=
"
RDEPEND="${DEPEND}"

src_configure() {
	# a configure script of its own, which takes whatever library it finds
	edo ./configure --prefix="${EPREFIX}/usr" --cc="$(tc-getCC)" --extra-cflags="${CFLAGS}" --disable-native \
		--disable-{dfs,gfapi,http,libnfs,libzbc,numa,pmem,rados,rbd,rdma,shm,tcmalloc,xnvme}
}

src_compile() {
	emake V=1
}

src_install() {
	# its other programs are Python's
	dobin fio
	doman fio.1
}
