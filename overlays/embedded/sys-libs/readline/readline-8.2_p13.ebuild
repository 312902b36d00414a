# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

MY_P="${PN}-${PV%_p*}"
BASH_P="bash-5.2.37"
DESCRIPTION="The library that edits command lines"
HOMEPAGE="https://tiswww.case.edu/php/chet/readline/rltop.html"
SRC_URI="
	https://ftp.gnu.org/gnu/readline/${MY_P}.tar.gz
	mirror://debian/pool/main/r/readline/readline_${PV%_p*}.orig.tar.gz -> ${MY_P}.tar.gz
	mirror://debian/pool/main/b/bash/bash_${BASH_P#*-}.orig.tar.xz -> ${BASH_P}-debian.tar.xz
"
S="${WORKDIR}/${MY_P}"

LICENSE="GPL-3+"
SLOT="0/8"
KEYWORDS="amd64"

DEPEND="sys-libs/ncurses"
RDEPEND="${DEPEND}"

src_prepare() {
	# bash's release of that patch level carries the same sources with all thirteen patches in
	cp "${WORKDIR}/${BASH_P}"/lib/readline/{colors,complete,display,input,nls,text}.c . || die
	default
}

src_configure() {
	tc-export AR CC RANLIB
	bash_cv_termcap_lib=libtinfo econf --disable-static --disable-install-examples --with-curses
}

src_compile() {
	emake SHLIB_LIBS=-ltinfo shared
}

src_install() {
	emake DESTDIR="${D}" SHLIB_LIBS=-ltinfo install-shared
	rm -r "${ED}"/usr/share || die
}
