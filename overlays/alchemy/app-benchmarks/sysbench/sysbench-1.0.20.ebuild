# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit by-hand edo

DESCRIPTION="Measures processors, memory, threads and files by scripts in Lua"
HOMEPAGE="https://github.com/akopytov/sysbench/releases"
SRC_URI="${P}.tar.gz"
S="${WORKDIR}/${P}"

LICENSE="GPL-2+ MIT BSD-2"
SLOT="0"
KEYWORDS="-* amd64"
RESTRICT="fetch mirror"

RDEPEND="dev-libs/libaio"
DEPEND="${RDEPEND}"

QA_PREBUILT=""

src_prepare() {
	default
	edo ./autogen.sh
}

src_configure() {
	# LuaJIT and Concurrency Kit are in its own archive; there is no database to measure
	econf --without-mysql --without-pgsql
}
