# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo toolchain-funcs

DESCRIPTION="Ping and traceroute in one: shows at which hop packets get lost"
HOMEPAGE="https://www.bitwizard.nl/mtr/"
SRC_URI="
	https://github.com/traviscross/mtr/archive/refs/tags/v${PV}.tar.gz -> ${P}.gh.tar.gz
	mirror://debian/pool/main/m/mtr/mtr_${PV}.orig.tar.gz -> ${P}.gh.tar.gz
"

LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	sys-libs/libcap
	sys-libs/ncurses:=
"
RDEPEND="${DEPEND}"

src_prepare() {
	default
	# git describe, in the archive of a tag
	echo "${PV}" >.tarball-version || die
	edo autoreconf -fi
}

src_configure() {
	tc-export PKG_CONFIG
	# its configure knows no libtinfo apart from ncurses
	LIBS=-ltinfo econf --with-ncurses --without-{gtk,jansson} --disable-bash-completion
}

src_install() {
	dosbin mtr mtr-packet
	doman mtr.8
}
