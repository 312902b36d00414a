# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Several terminals in one, which outlive the connection they were opened from"
HOMEPAGE="https://github.com/tmux/tmux/wiki"
SRC_URI="
	https://github.com/tmux/tmux/releases/download/${PV}/${P}.tar.gz
	mirror://debian/pool/main/t/tmux/tmux_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="ISC"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	dev-libs/libevent:=
	sys-libs/ncurses:=
"
RDEPEND="${DEPEND}"

src_configure() {
	econf --sysconfdir="${EPREFIX}/etc" --disable-{jemalloc,systemd,utempter,utf8proc}
}

src_install() {
	dobin tmux
	doman tmux.1
}
