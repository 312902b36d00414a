# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Prints what the firmware's DMI (SMBIOS) tables say of the machine"
HOMEPAGE="https://www.nongnu.org/dmidecode/"
SRC_URI="
	https://download.savannah.gnu.org/releases/dmidecode/${P}.tar.xz
	mirror://debian/pool/main/d/dmidecode/dmidecode_${PV}.orig.tar.xz -> ${P}.tar.xz
"

LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="amd64"

src_compile() {
	tc-export CC
	emake PROGRAMS=dmidecode
}

src_install() {
	emake PROGRAMS=dmidecode prefix="${EPREFIX}/usr" DESTDIR="${D}" install-bin install-man
}
