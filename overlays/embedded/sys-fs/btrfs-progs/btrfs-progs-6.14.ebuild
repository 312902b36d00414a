# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo toolchain-funcs

DESCRIPTION="Makes, checks, grows and repairs Btrfs filesystems"
HOMEPAGE="https://btrfs.readthedocs.io/"
SRC_URI="
	https://github.com/kdave/btrfs-progs/archive/refs/tags/v${PV}.tar.gz -> ${P}.gh.tar.gz
	mirror://debian/pool/main/b/btrfs-progs/btrfs-progs_${PV}.orig.tar.gz -> ${P}.gh.tar.gz
"

LICENSE="GPL-2 LGPL-2.1+"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	app-arch/zstd
	dev-libs/lzo:2
	sys-apps/util-linux
	sys-libs/zlib
"
RDEPEND="${DEPEND}"

src_prepare() {
	default
	edo ./autogen.sh
}

src_configure() {
	tc-export AR CC PKG_CONFIG RANLIB
	econf --disable-{backtrace,convert,documentation,libudev,python,static} --with-crypto=builtin
}

src_compile() {
	emake V=1
}

src_install() {
	emake V=1 DESTDIR="${D}" udevdir= install
	rm -rf "${ED}/usr/$(get_libdir)"/libbtrfs.* "${ED}"/usr/include/btrfs || die
}
