# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit by-hand

DESCRIPTION="The command line of HPE's Smart Array controllers, now called ssacli"
HOMEPAGE="https://support.hpe.com/connect/s/softwaredetails?softwareId=MTX_95c2c88d976c467ab58c30279f"
SRC_URI="ssacli-${PV%.*.*}-${PV#*.*.}.x86_64.rpm"

LICENSE="hp-proliant-essentials"
SLOT="0"
KEYWORDS="-* amd64"

RDEPEND="sys-libs/gcc-runtime"

src_unpack() {
	by-hand_unrpm "${DISTDIR}/${A}"
}

src_install() {
	by-hand_install opt/smartstorageadmin/ssacli/bin/ssacli hpssacli
	dosym hpssacli /opt/bin/ssacli
}
