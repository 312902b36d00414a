# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="A library that reads and writes JSON"
HOMEPAGE="https://github.com/json-c/json-c"
SRC_URI="mirror://debian/pool/main/j/json-c/json-c_${PV}+ds.orig.tar.xz -> ${P}-debian.tar.xz"
S="${WORKDIR}/json-c-json-c-${PV}-20240915"

LICENSE="MIT"
SLOT="0/5"
KEYWORDS="amd64"

src_configure() {
	cmake -B "${T}/build" -DCMAKE_INSTALL_PREFIX="${EPREFIX}/usr" -DCMAKE_INSTALL_LIBDIR="$(get_libdir)" \
		-DCMAKE_BUILD_TYPE=None -DBUILD_APPS=OFF -DBUILD_STATIC_LIBS=OFF -DBUILD_TESTING=OFF \
		-DDISABLE_EXTRA_LIBS=ON -DDISABLE_WERROR=ON || die
}

src_compile() {
	emake -C "${T}/build"
}

src_install() {
	emake -C "${T}/build" DESTDIR="${D}" install
}
