# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit meson

DESCRIPTION="Parser of .INI files in C"
HOMEPAGE="https://github.com/benhoyt/inih"
SRC_URI="
	https://github.com/benhoyt/inih/archive/refs/tags/r${PV}.tar.gz -> ${P}.gh.tar.gz
	mirror://debian/pool/main/libi/libinih/libinih_${PV}.orig.tar.gz -> ${P}.gh.tar.gz
"
S="${WORKDIR}/inih-r${PV}"

LICENSE="BSD"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	local emesonargs=( -Ddefault_library=shared -Dwith_INIReader=false )
	meson_src_configure
}
