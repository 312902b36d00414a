# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Lists SCSI, SAS, SATA and NVMe devices, and their hosts"
HOMEPAGE="https://sg.danny.cz/scsi/lsscsi.html"
SRC_URI="mirror://debian/pool/main/l/lsscsi/lsscsi_${PV}.orig.tar.gz -> ${P}-debian.tar.gz"

LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="amd64"
