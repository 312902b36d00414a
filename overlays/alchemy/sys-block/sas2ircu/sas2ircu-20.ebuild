# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit by-hand

DESCRIPTION="The command line of LSI host bus adapters of the series SAS2"
HOMEPAGE="https://www.broadcom.com/site-search?q=SAS2IRCU_P20.zip"
SRC_URI="SAS2IRCU_P${PV}.zip"

LICENSE="LSI"
SLOT="0"
KEYWORDS="-* amd64"

# a program of 32 bits: Gentoo's C library may bring those, and the embedded default has a package of them
RDEPEND="|| (
	sys-libs/i386-runtime
	sys-libs/glibc[multilib(-)]
)"

src_unpack() {
	by-hand_unzip "${A}"
}

src_install() {
	by-hand_install SAS2IRCU_P${PV}/sas2ircu_linux_x86_rel/sas2ircu sas2ircu
}
