# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit meson

DESCRIPTION="The tools that load, list and remove kernel modules"
HOMEPAGE="https://github.com/kmod-project/kmod"
SRC_URI="mirror://debian/pool/main/k/kmod/kmod_${PV}.orig.tar.xz -> ${P}-debian.tar.xz"

LICENSE="LGPL-2.1+ GPL-2+"
SLOT="0"
KEYWORDS="amd64"
IUSE="+lzma +zstd"

DEPEND="
	lzma? ( app-arch/xz-utils )
	zstd? ( app-arch/zstd )
"
RDEPEND="${DEPEND}"

src_configure() {
	local emesonargs=(
		$(meson_feature lzma xz)
		$(meson_feature zstd)
		-Dzlib=disabled
		-Dopenssl=disabled
		-Dbuild-tests=false
		-Dmanpages=false
		-Ddocs=false
		-Dbashcompletiondir=no
		-Dfishcompletiondir=no
		-Dzshcompletiondir=no
	)
	meson_src_configure
}
