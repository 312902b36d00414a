# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="The shared libraries that programs built by the compiler need at run time"
HOMEPAGE="https://gcc.gnu.org/"
S="${WORKDIR}"

LICENSE="GPL-3+ gcc-runtime-library-exception-3.1"
SLOT="0"
KEYWORDS="amd64"
RESTRICT="strip"

src_install() {
	local lib path
	for lib in libgcc_s.so.1 libstdc++.so.6 libatomic.so.1 libgomp.so.1; do
		path=$("${CHOST}-gcc" -print-file-name="${lib}")
		[[ ${path} == /* ]] || die "the compiler finds no ${lib}"
		cp -L "${path}" "${T}/${lib}" || die
		dolib.so "${T}/${lib}"
	done
}
