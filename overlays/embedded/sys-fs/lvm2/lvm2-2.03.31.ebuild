# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Logical volumes, and dmsetup for the device mapper below them"
HOMEPAGE="https://sourceware.org/lvm2/"
SRC_URI="mirror://debian/pool/main/l/lvm2/lvm2_${PV}.orig.tar.xz -> ${P}-debian.tar.xz"
S="${WORKDIR}/LVM2.${PV}"

LICENSE="GPL-2 LGPL-2.1"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	dev-libs/libaio
	sys-apps/util-linux
	sys-libs/ncurses
	sys-libs/readline:=
"
RDEPEND="${DEPEND}"

src_configure() {
	tc-export AR CC PKG_CONFIG RANLIB
	# neither udev nor a daemon: the tools make the nodes themselves
	econf --disable-{app-machineid,dmeventd,lvmimportvdo,nls,sd-notify,selinux,systemd-journal} \
		--disable-{use-lvmlockd,use-lvmpolld} --enable-{pkgconfig,write_install} \
		--without-{libnvme,systemd,udev} --with-{thin,cache}-check= \
		--with-usrlibdir="${EPREFIX}/usr/$(get_libdir)" --with-usrsbindir="${EPREFIX}/usr/sbin" \
		--with-default-run-dir=/run/lvm --with-default-dm-run-dir=/run --with-default-locking-dir=/run/lock/lvm
}

src_compile() {
	emake V=1
}

src_install() {
	emake V=1 DESTDIR="${D}" install
}
