# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="The tools for disks, mounts, namespaces, processes that go with the kernel"
HOMEPAGE="https://www.kernel.org/pub/linux/utils/util-linux/ https://github.com/util-linux/util-linux"
SRC_URI="
	https://www.kernel.org/pub/linux/utils/util-linux/v${PV%.*}/${P}.tar.xz
	mirror://debian/pool/main/u/util-linux/util-linux_${PV}.orig.tar.xz -> ${P}.tar.xz
"

LICENSE="GPL-2+ LGPL-2.1+ BSD BSD-4 MIT public-domain"
SLOT="0"
KEYWORDS="amd64"

DEPEND="sys-libs/ncurses"
RDEPEND="${DEPEND}"

# The rest of its programs stay out: they are those of shadow and procps, or of no use in a rescue system.
PROGRAMS=(
	addpart agetty blkdiscard blkid blkpr blkzone blockdev cfdisk chcpu chmem chrt column ctrlaltdel delpart dmesg
	fallocate fdisk findfs findmnt flock fsck fsfreeze fstrim getopt hexdump hwclock ionice irqtop isosize
	last ldattach logger losetup lsblk lscpu lsfd lsipc lsirq lslocks lsmem lsns mkswap mount mountpoint
	nsenter partx pivot_root prlimit readprofile rename renice resizepart rtcwake script scriptreplay
	setarch linux32 linux64 x86_64 setsid setterm sfdisk swaplabel swapoff swapon switch_root taskset
	umount unshare utmpdump uuidgen uuidparse wall wdctl whereis wipefs zramctl
)

src_configure() {
	tc-export PKG_CONFIG
	local args=(
		--disable-static --disable-nls --disable-rpath --disable-asciidoc --disable-poman --disable-gtk-doc
		--disable-bash-completion --disable-makeinstall-chown --disable-makeinstall-setuid
		--disable-kill --disable-login --disable-nologin --disable-su --disable-runuser --disable-sulogin
		--disable-chfn-chsh --disable-newgrp --disable-vipw --disable-lslogins
		--disable-liblastlog2 --disable-pam-lastlog2 --disable-pylibmount --disable-uuidd
		--disable-cramfs --disable-bfs --disable-minix --disable-setpriv --disable-plymouth_support
		--with-ncursesw --with-tinfo
		--without-audit --without-btrfs --without-cap-ng --without-cryptsetup --without-econf --without-libmagic
		--without-libz --without-python --without-readline --without-selinux --without-slang --without-smack
		--without-systemd --without-udev --without-user --without-utempter
		--without-libiconv-prefix --without-libintl-prefix
	)
	econf "${args[@]}"
}

src_install() {
	default

	local path
	for path in "${ED}"/usr/{bin,sbin}/* "${ED}"/{bin,sbin}/*; do
		[[ -e ${path} || -L ${path} ]] || continue
		has "${path##*/}" "${PROGRAMS[@]}" || rm "${path}" || die
	done
	find "${D}" -name '*.la' -delete || die
	rm -rf "${ED}"/usr/share || die
}
