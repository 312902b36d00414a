# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

MY_P="${PN}-${PV/_p/.}"
DESCRIPTION="The Bourne Again shell"
HOMEPAGE="https://www.gnu.org/software/bash/"
SRC_URI="mirror://debian/pool/main/b/bash/bash_${PV/_p/.}.orig.tar.xz -> ${MY_P}-debian.tar.xz"
S="${WORKDIR}/${MY_P}"

LICENSE="GPL-3+"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	sys-libs/ncurses
	sys-libs/readline
"
RDEPEND="${DEPEND}"

src_prepare() {
	default
	# upstream's defaults: a PATH that ends in ".", and no file that every interactive shell reads
	sed -i \
		-e '/define DEFAULT_PATH_VALUE/{n;s|".*"|"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"|}' \
		-e '/define SYS_BASHRC/c #define SYS_BASHRC "/etc/bash/bashrc"' \
		config-top.h || die
}

src_configure() {
	tc-export AR CC RANLIB
	local args=(
		--disable-nls --disable-rpath --disable-profiling
		--with-curses --with-installed-readline --without-bash-malloc
		--with-afs=no --disable-mem-scramble
	)
	bash_cv_termcap_lib=libtinfo econf "${args[@]}"
}

src_install() {
	default
	rm -r "${ED}"/usr/share "${ED}"/usr/include "${ED}/usr/$(get_libdir)" "${ED}"/usr/bin/bashbug || die
	insinto /etc/bash
	doins "${FILESDIR}"/bashrc
}
