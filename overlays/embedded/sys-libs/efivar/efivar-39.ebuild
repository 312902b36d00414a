# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Reads and writes the variables of UEFI firmware: the library and efivar"
HOMEPAGE="https://github.com/rhboot/efivar"
SRC_URI="
	https://github.com/rhboot/efivar/archive/refs/tags/${PV}.tar.gz -> ${P}.gh.tar.gz
	mirror://debian/pool/main/e/efivar/efivar_${PV}.orig.tar.gz -> ${P}.gh.tar.gz
"

LICENSE="LGPL-2.1"
SLOT="0/1"
KEYWORDS="amd64"

_make() {
	emake CC="$(tc-getCC)" PKG_CONFIG="$(tc-getPKG_CONFIG)" HOST_MARCH= ERRORS= OPTIMIZE= DEBUGINFO= ENABLE_DOCS=0 \
		PREFIX="${EPREFIX}/usr" LIBDIR="${EPREFIX}/usr/$(get_libdir)" "$@"
}

src_compile() {
	_make
}

src_install() {
	_make DESTDIR="${D}" install
}
