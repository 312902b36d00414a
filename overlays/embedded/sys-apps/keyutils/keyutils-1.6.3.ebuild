# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="The library of the kernel's key rings, and keyctl"
HOMEPAGE="https://git.kernel.org/pub/scm/linux/kernel/git/dhowells/keyutils.git"
SRC_URI="mirror://debian/pool/main/k/keyutils/keyutils_${PV}.orig.tar.gz -> ${P}-debian.tar.gz"

LICENSE="GPL-2+ LGPL-2.1+"
SLOT="0/1"
KEYWORDS="amd64"

_make() {
	emake CC="$(tc-getCC)" CFLAGS="${CFLAGS}" NO_ARLIB=1 BINDIR="${EPREFIX}/usr/bin" SBINDIR="${EPREFIX}/usr/sbin" \
		LIBDIR="${EPREFIX}/usr/$(get_libdir)" USRLIBDIR="${EPREFIX}/usr/$(get_libdir)" "$@"
}

src_prepare() {
	default
	# the library holds the day of its build
	sed -i 's/date -u +%F/date -u -d @$(SOURCE_DATE_EPOCH) +%F/' Makefile || die
}

src_compile() {
	_make keyctl
}

src_install() {
	dobin keyctl
	dolib.so libkeyutils.so*
	doheader keyutils.h
}
