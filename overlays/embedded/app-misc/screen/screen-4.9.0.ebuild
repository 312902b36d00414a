# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo

DESCRIPTION="Several terminals in one, which outlive the connection; knows serial ports"
HOMEPAGE="https://www.gnu.org/software/screen/"
# the newest whose source every mirror has
SRC_URI="
	https://ftp.gnu.org/gnu/screen/${P}.tar.gz
	mirror://debian/pool/main/s/screen/screen_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="GPL-3+"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	sys-libs/libxcrypt
	sys-libs/ncurses:=
"
RDEPEND="${DEPEND}"

src_prepare() {
	default
	edo autoreconf -fi
}

src_configure() {
	# GCC 14 takes what configure.ac leaves out for an error
	CFLAGS+=" -std=gnu17 -Wno-implicit-int -Wno-implicit-function-declaration" econf \
		--disable-socket-dir --with-pty-mode=0620 --with-pty-group=5 \
		--enable-colors256 --enable-rxvt_osc --disable-{pam,telnet}
}

src_install() {
	dobin screen
	insinto /usr/share/screen/utf8encodings
	doins utf8encodings/??
}
