# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo toolchain-funcs

DESCRIPTION="Parser of INI files"
HOMEPAGE="https://gitlab.com/iniparser/iniparser"
SRC_URI="mirror://debian/pool/main/i/iniparser/iniparser_${PV}.orig.tar.xz -> ${P}-debian.tar.xz"
S="${WORKDIR}/${PN}-v${PV}"

LICENSE="MIT"
SLOT="0/4"
KEYWORDS="amd64"

src_configure() {
	tc-export CC
	edo cmake -B "${T}/build" -DCMAKE_INSTALL_PREFIX="${EPREFIX}/usr" -DCMAKE_INSTALL_LIBDIR="$(get_libdir)" \
		-DCMAKE_BUILD_TYPE=None -DCMAKE_EXPORT_NO_PACKAGE_REGISTRY=ON -DBUILD_STATIC_LIBS=OFF -DBUILD_TESTING=OFF
}

src_compile() {
	emake -C "${T}/build"
}

src_install() {
	emake -C "${T}/build" DESTDIR="${D}" install
}
