# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo toolchain-funcs

DESCRIPTION="ip, tc, bridge and ss: the network of Linux"
HOMEPAGE="https://wiki.linuxfoundation.org/networking/iproute2"
SRC_URI="
	https://www.kernel.org/pub/linux/utils/net/iproute2/${P}.tar.xz
	mirror://debian/pool/main/i/iproute2/iproute2_${PV}.orig.tar.xz -> ${P}.tar.xz
"

LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"

DEPEND="sys-libs/libcap"
RDEPEND="${DEPEND}"

src_configure() {
	# its configure knows no --without: it finds nothing but libc, and libcap is told to it here
	tc-export AR CC
	PKG_CONFIG=false edo ./configure --include_dir "${ESYSROOT}/usr/include" --libdir "${EPREFIX}/usr/$(get_libdir)"
	sed -i '/HAVE_BERKELEY_DB/d' config.mk || die
	printf '%s\n' "CFLAGS += -DHAVE_LIBCAP" "LDLIBS += -lcap" >> config.mk || die
}

_make() {
	emake V=1 CC="${CC}" AR="${AR}" CCOPTS= SUBDIRS="lib ip tc bridge misc" "$@"
}

src_compile() {
	_make
}

src_install() {
	_make DESTDIR="${D}" install
	rm -r "${ED}"/sbin/{ctstat,ifstat,lnstat,nstat,routel,rtacct,rtmon,rtstat} \
		"${ED}"/usr/share/bash-completion || die
}
