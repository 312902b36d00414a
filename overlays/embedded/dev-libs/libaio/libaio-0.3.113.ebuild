# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Asynchronous I/O of the kernel"
HOMEPAGE="https://pagure.io/libaio"
SRC_URI="
	https://releases.pagure.org/libaio/${P}.tar.gz
	mirror://debian/pool/main/liba/libaio/libaio_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="LGPL-2.1+"
SLOT="0"
KEYWORDS="amd64"

src_compile() {
	emake CC="$(tc-getCC)" OPTFLAGS="${CFLAGS}" libdir="/usr/$(get_libdir)"
}

src_install() {
	emake prefix="${ED}/usr" libdir="${ED}/usr/$(get_libdir)" install
}
