# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit meson

DESCRIPTION="The Zstandard compression library and its tool"
HOMEPAGE="https://facebook.github.io/zstd/"
SRC_URI="mirror://debian/pool/main/libz/libzstd/libzstd_${PV}+dfsg.orig.tar.xz -> ${P}-debian.tar.xz"

LICENSE="|| ( BSD GPL-2 )"
SLOT="0/1"
KEYWORDS="amd64"

EMESON_SOURCE="${S}/build/meson"

src_configure() {
	local emesonargs=(
		-Ddefault_library=shared
		-Dlegacy_level=0
		-Dbin_programs=true
		-Dbin_tests=false
		-Dbin_contrib=false
		-Dmulti_thread=enabled
		-Dzlib=disabled
		-Dlzma=disabled
		-Dlz4=disabled
	)
	meson_src_configure
}

src_install() {
	meson_src_install
	rm "${ED}"/usr/bin/zstd-frugal || die
}
