# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo

DESCRIPTION="Regular expression library for many encodings"
HOMEPAGE="https://github.com/kkos/oniguruma"
SRC_URI="
	https://github.com/kkos/oniguruma/archive/refs/tags/v${PV}.tar.gz -> ${P}.gh.tar.gz
	mirror://debian/pool/main/libo/libonig/libonig_${PV}.orig.tar.gz -> ${P}.gh.tar.gz
"

LICENSE="BSD-2"
SLOT="0/5"
KEYWORDS="amd64"

src_prepare() {
	default
	edo autoreconf -fi
}

src_configure() {
	econf --disable-{posix-api,static}
}

src_install() {
	default
	rm "${ED}"/usr/bin/onig-config "${ED}/usr/$(get_libdir)"/*.la || die
}
