# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo toolchain-funcs

DESCRIPTION="Logs the errors of memory, processors, PCIe and disks that the kernel traces"
HOMEPAGE="https://github.com/mchehab/rasdaemon"
SRC_URI="mirror://debian/pool/main/r/rasdaemon/rasdaemon_${PV}.orig.tar.bz2 -> ${P}-debian.tar.bz2"

LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	dev-libs/libtraceevent:=
	sys-apps/pciutils
"
RDEPEND="${DEPEND}"

src_prepare() {
	default
	# which it includes without a database too
	sed -i '/^#include <sqlite3.h>/d' ras-record.h || die
	edo autoreconf -fi
}

src_configure() {
	tc-export CC PKG_CONFIG
	# without a database: a node in RAM keeps none, and its log has it all
	econf --enable-{aer,diskerror,extlog,mce,memory-failure,memory-ce-pfa}
}

src_install() {
	# ras-mc-ctl is Perl's
	dosbin rasdaemon
}
