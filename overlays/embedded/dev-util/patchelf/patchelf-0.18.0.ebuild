# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Changes the loader and the library folders that an ELF program names"
HOMEPAGE="https://github.com/NixOS/patchelf"
SRC_URI="mirror://debian/pool/main/p/patchelf/patchelf_${PV}.orig.tar.gz -> ${P}-debian.tar.gz"

LICENSE="GPL-3+"
SLOT="0"
KEYWORDS="amd64"

src_prepare() {
	default
	autoreconf -fi || die
}
