# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo toolchain-funcs

MY_P="${P/_p/-}"
DESCRIPTION="The terminal library, with the terminals that a rescue system meets"
HOMEPAGE="https://invisible-island.net/ncurses/"
SRC_URI="
	https://invisible-island.net/archives/ncurses/current/${MY_P}.tgz
	https://invisible-mirror.net/archives/ncurses/current/${MY_P}.tgz
	mirror://debian/pool/main/n/ncurses/ncurses_${PV/_p/+}.orig.tar.gz -> ${MY_P}.tgz
"
S="${WORKDIR}/${MY_P}"

LICENSE="MIT"
SLOT="0/6"
KEYWORDS="amd64"

TERMINALS=(
	ansi dumb linux putty rxvt
	screen screen-256color tmux tmux-256color
	vt100 vt102 vt220 xterm xterm-256color
)

src_configure() {
	tc-export PKG_CONFIG
	local args=(
		--with-shared --without-normal --without-debug
		--without-ada --without-cxx --without-cxx-binding
		--without-manpages --without-tests --without-gpm --without-pcre2
		--with-termlib=tinfo --with-ticlib=tic --with-versioned-syms
		--enable-widec --enable-symlinks --enable-const
		--enable-overwrite --disable-db-install --disable-stripping --disable-rpath-hack
		--enable-pc-files --with-pkg-config-libdir="${EPREFIX}/usr/$(get_libdir)/pkgconfig"
		--with-default-terminfo-dir="${EPREFIX}/usr/share/terminfo"
		--with-terminfo-dirs="${EPREFIX}/etc/terminfo:${EPREFIX}/usr/share/terminfo"
	)
	econf "${args[@]}"
}

src_install() {
	default

	local name libdir=/usr/$(get_libdir)
	# what asks for the narrow libraries gets the wide ones, which do all that those do
	for name in ncurses form menu panel; do
		dosym "lib${name}w.so" "${libdir}/lib${name}.so"
		dosym "${name}w.pc" "${libdir}/pkgconfig/${name}.pc"
	done
	dosym libncursesw.so "${libdir}/libcurses.so"
	dosym tinfo.pc "${libdir}/pkgconfig/tinfow.pc"
	dosym . /usr/include/ncursesw

	local names="${TERMINALS[*]}"
	LD_LIBRARY_PATH="${S}/lib" edo progs/tic -x -o "${ED}/usr/share/terminfo" -e "${names// /,}" misc/terminfo.src
}
