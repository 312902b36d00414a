# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Reads the health and runs the self-tests of disks (S.M.A.R.T., SCSI, NVMe)"
HOMEPAGE="https://www.smartmontools.org/"
SRC_URI="mirror://debian/pool/main/s/smartmontools/smartmontools_${PV}.orig.tar.xz -> ${P}-debian.tar.xz"

LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="amd64"
IUSE="daemon"

RDEPEND="sys-libs/gcc-runtime"

src_configure() {
	econf --with-drivedbdir="${EPREFIX}/usr/share/smartmontools" --with-nvme-devicescan \
		--without-{gnupg,initscriptdir,libcap-ng,libsystemd,selinux,systemdsystemunitdir,update-smart-drivedb}
}

src_install() {
	if use daemon; then
		default
	else
		dosbin smartctl
		insinto /usr/share/smartmontools
		doins drivedb.h
	fi
}
