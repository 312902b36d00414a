# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Vi IMproved: the editor, with the syntax of what a machine's administrator edits"
HOMEPAGE="https://www.vim.org/"
SRC_URI="mirror://debian/pool/main/v/vim/vim_${PV}.orig.tar.xz -> ${P}-debian.tar.xz"

LICENSE="vim"
SLOT="0"
KEYWORDS="amd64"

DEPEND="sys-libs/ncurses:="
RDEPEND="${DEPEND}"

# of its 35 MB of runtime files
RUNTIME=(
	autoload/dist colors/default.vim colors/lists/default.vim defaults.vim filetype.vim scripts.vim
	syntax/{conf,config,css,diff,dosini,help,html,javascript,json,make,markdown,nosyntax,passwd,python,sh,sshconfig}.vim
	syntax/{sshdconfig,sudoers,syncolor,synload,syntax,systemd,vb,vim,xml,yaml}.vim
)

src_configure() {
	econf --with-features=normal --with-compiledby=Alchemy --enable-gui=no --without-x --with-tlib=tinfo \
		--disable-{acl,canberra,gpm,libsodium,netbeans,nls,selinux}
}

src_install() {
	dobin src/vim
	dosym vim /usr/bin/vimdiff

	local path
	for path in "${RUNTIME[@]}"; do
		insinto "/usr/share/vim/vim91/$(dirname "${path}")"
		doins -r "runtime/${path}"
	done
}
