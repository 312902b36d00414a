# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo

DESCRIPTION="Library that reads and writes JSON"
HOMEPAGE="https://github.com/akheron/jansson"
SRC_URI="
	https://github.com/akheron/jansson/archive/refs/tags/v${PV}.tar.gz -> ${P}.gh.tar.gz
	mirror://debian/pool/main/j/jansson/jansson_${PV}.orig.tar.gz -> ${P}.gh.tar.gz
"

LICENSE="MIT"
SLOT="0/4"
KEYWORDS="amd64"

src_prepare() {
	default
	edo autoreconf -fi
}

src_configure() {
	econf --disable-static
}

src_install() {
	default
	rm "${ED}/usr/$(get_libdir)"/*.la || die
}
