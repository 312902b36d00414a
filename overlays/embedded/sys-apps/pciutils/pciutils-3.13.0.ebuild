# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="lspci, setpci, pcilmr and the library of them"
HOMEPAGE="https://mj.ucw.cz/sw/pciutils/"
SRC_URI="
	https://mj.ucw.cz/download/linux/pci/${P}.tar.gz
	mirror://debian/pool/main/p/pciutils/pciutils_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="GPL-2+"
SLOT="0/3"
KEYWORDS="amd64"

RDEPEND="sys-apps/hwdata"

_make() {
	emake AR="$(tc-getAR)" CC="$(tc-getCC)" RANLIB="$(tc-getRANLIB)" OPT="${CFLAGS}" STRIP= HOST="${CHOST}" \
		PREFIX="${EPREFIX}/usr" LIBDIR="${EPREFIX}/usr/$(get_libdir)" IDSDIR="${EPREFIX}/usr/share/hwdata" \
		MANDIR="${EPREFIX}/usr/share/man" SHARED=yes DNS=no HWDB=no LIBKMOD=no ZLIB=no "$@"
}

src_compile() {
	_make
}

src_install() {
	_make DESTDIR="${D}" install install-lib
	# the names of the devices are hwdata's
	rm -r "${ED}"/usr/share/hwdata "${ED}"/usr/sbin/update-pciids || die
}
