# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="The library and tools for Linux's capabilities"
HOMEPAGE="https://sites.google.com/site/fullycapable/"
SRC_URI="
	https://www.kernel.org/pub/linux/libs/security/linux-privs/libcap2/${P}.tar.xz
	mirror://debian/pool/main/libc/libcap2/libcap2_${PV}.orig.tar.xz -> ${P}.tar.xz
"

LICENSE="|| ( GPL-2 BSD )"
SLOT="0"
KEYWORDS="amd64"

_make() {
	emake \
		AR="$(tc-getAR)" CC="$(tc-getCC)" BUILD_CC="$(tc-getBUILD_CC)" OBJCOPY="$(tc-getOBJCOPY)" \
		RANLIB="$(tc-getRANLIB)" \
		prefix="${EPREFIX}/usr" lib="$(get_libdir)" \
		DYNAMIC=yes GOLANG=no PAM_CAP=no SHARED=yes "$@"
}

src_compile() {
	local dir
	for dir in libcap progs; do
		_make -C "${dir}"
	done
}

src_install() {
	local dir
	for dir in libcap progs; do
		_make -C "${dir}" DESTDIR="${D}" RAISE_SETFCAP=no install
	done
	rm "${ED}/usr/$(get_libdir)"/*.a || die
}
