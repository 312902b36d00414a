# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Lists and changes what UEFI firmware starts, and in which order"
HOMEPAGE="https://github.com/rhboot/efibootmgr"
SRC_URI="
	https://github.com/rhboot/efibootmgr/archive/refs/tags/${PV}.tar.gz -> ${P}.gh.tar.gz
	mirror://debian/pool/main/e/efibootmgr/efibootmgr_${PV}.orig.tar.gz -> ${P}.gh.tar.gz
"

LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	dev-libs/popt
	sys-libs/efivar:=
"
RDEPEND="${DEPEND}"

src_compile() {
	emake CC="$(tc-getCC)" PKG_CONFIG="$(tc-getPKG_CONFIG)" EFIDIR=alchemy EFI_LOADER=grubx64.efi efibootmgr
}

src_install() {
	dosbin src/efibootmgr
}
