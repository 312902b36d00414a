# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="The tools for the filesystems ext2, ext3 and ext4"
HOMEPAGE="https://e2fsprogs.sourceforge.net/"
SRC_URI="
	https://downloads.sourceforge.net/e2fsprogs/${P}.tar.gz
	https://www.kernel.org/pub/linux/kernel/people/tytso/e2fsprogs/v${PV}/${P}.tar.gz
	mirror://debian/pool/main/e/e2fsprogs/e2fsprogs_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="GPL-2 LGPL-2 BSD MIT"
SLOT="0"
KEYWORDS="amd64"

DEPEND="sys-apps/util-linux"
RDEPEND="${DEPEND}"

src_configure() {
	tc-export AR CC PKG_CONFIG RANLIB
	local args=(
		--enable-elf-shlibs --enable-symlink-install --enable-relative-symlinks
		--disable-nls --disable-rpath --disable-libblkid --disable-libuuid --disable-uuidd
		--disable-fsck --disable-fuse2fs --disable-backtrace --disable-e2initrd-helper
		--without-libarchive --without-libiconv-prefix --without-libintl-prefix
		--with-udev-rules-dir=no --with-crond-dir=no --with-systemd-unit-dir=no
	)
	# libmagic, which it would load if that happened to be there as it is built
	export ac_cv_lib_magic_magic_file=no ac_cv_header_magic_h=no
	ac_cv_path_LDCONFIG=: econf "${args[@]}"
}

src_compile() {
	emake V=1
}

src_install() {
	emake DESTDIR="${D}" install
	rm -r "${ED}"/usr/share "${ED}/usr/$(get_libdir)"/*.a "${ED}"/usr/bin/{compile_et,mk_cmds} || die
	rm -rf "${ED}"/usr/sbin/e2scrub* "${ED}"/etc/e2scrub.conf "${ED}/usr/$(get_libdir)"/e2fsprogs || die
}
