# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Makes, repairs, grows and dumps XFS filesystems"
HOMEPAGE="https://xfs.wiki.kernel.org/"
SRC_URI="mirror://debian/pool/main/x/xfsprogs/xfsprogs_${PV}.orig.tar.xz -> ${P}-debian.tar.xz"

LICENSE="LGPL-2.1 GPL-2"
SLOT="0"
KEYWORDS="amd64"

# xfs_io takes the device mapper when that is there as it is built, and cannot be told not to
DEPEND="
	dev-libs/inih
	dev-libs/userspace-rcu:=
	sys-apps/util-linux
	sys-fs/lvm2
"
RDEPEND="${DEPEND}"

src_configure() {
	tc-export CC PKG_CONFIG
	# its makefiles add what they want optimized to these
	export DEBUG=-DNDEBUG OPTIMIZER="${CFLAGS}"
	econf --disable-static --enable-gettext=no --enable-scrub=no --enable-libicu=no --enable-editline=no \
		--with-crond-dir= --with-systemd-unit-dir= --with-udev-rule-dir=
}

src_compile() {
	emake V=1
}

src_install() {
	emake DIST_ROOT="${ED}" PKG_USER=root PKG_GROUP=root install
	# a Python script
	rm "${ED}"/usr/sbin/xfs_protofile || die
}
