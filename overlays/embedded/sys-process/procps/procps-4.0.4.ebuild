# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

MY_P="${PN}-ng-${PV}"
DESCRIPTION="ps, top, free, pgrep, watch, sysctl and the like"
HOMEPAGE="https://gitlab.com/procps-ng/procps"
SRC_URI="
	https://downloads.sourceforge.net/procps-ng/Production/${MY_P}.tar.xz
	mirror://debian/pool/main/p/procps/procps_${PV}.orig.tar.xz -> ${MY_P}.tar.xz
"
S="${WORKDIR}/${MY_P}"

LICENSE="GPL-2+ LGPL-2+ LGPL-2.1+"
SLOT="0/0-ng"
KEYWORDS="amd64"

DEPEND="sys-libs/ncurses"
RDEPEND="${DEPEND}"

src_configure() {
	tc-export PKG_CONFIG
	econf --disable-static --disable-nls --disable-rpath --disable-numa --disable-libselinux \
		--enable-watch8bit --with-ncurses --without-systemd --without-elogind \
		--without-libiconv-prefix --without-libintl-prefix
}

src_install() {
	default
	find "${D}" -name '*.la' -delete || die
	rm -r "${ED}"/usr/share || die
}
