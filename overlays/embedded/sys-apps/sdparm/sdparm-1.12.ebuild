# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Shows and sets the mode pages of a SCSI disk, as hdparm does for an ATA one"
HOMEPAGE="https://sg.danny.cz/sg/sdparm.html"
SRC_URI="
	https://sg.danny.cz/sg/p/${P}.tar.xz
	mirror://debian/pool/main/s/sdparm/sdparm_${PV}.orig.tar.xz -> ${P}.tar.xz
"

LICENSE="BSD-2"
SLOT="0"
KEYWORDS="amd64"

DEPEND="sys-apps/sg3_utils:="
RDEPEND="${DEPEND}"
