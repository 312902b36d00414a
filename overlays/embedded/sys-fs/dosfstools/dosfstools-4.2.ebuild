# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Makes, checks and labels FAT filesystems, such as EFI system partitions"
HOMEPAGE="https://github.com/dosfstools/dosfstools"
SRC_URI="
	https://github.com/dosfstools/dosfstools/releases/download/v${PV}/${P}.tar.gz
	mirror://debian/pool/main/d/dosfstools/dosfstools_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="GPL-3+"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	econf --enable-compat-symlinks --without-libiconv-prefix
}
