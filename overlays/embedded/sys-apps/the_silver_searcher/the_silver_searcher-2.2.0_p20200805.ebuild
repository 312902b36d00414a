# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo toolchain-funcs

DESCRIPTION="ag: searches folders of text with regular expressions, fast"
HOMEPAGE="https://geoff.greer.fm/ag/"
SRC_URI="
	mirror://debian/pool/main/s/silversearcher-ag/silversearcher-ag_${PV/_p/+git}.orig.tar.gz -> ${P}-debian.tar.gz
"
S="${WORKDIR}/${PN}-master"

LICENSE="Apache-2.0"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	app-arch/xz-utils
	dev-libs/libpcre:3
	sys-libs/zlib
"
RDEPEND="${DEPEND}"

src_prepare() {
	default
	edo autoreconf -fi
}

src_configure() {
	tc-export PKG_CONFIG
	econf
}

src_install() {
	dobin ag
	doman doc/ag.1
}
