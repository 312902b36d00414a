# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit by-hand toolchain-funcs

DESCRIPTION="Measures disks with several threads: its tiotest, without the script in Perl"
HOMEPAGE="https://sourceforge.net/projects/tiobench/"
SRC_URI="${P}.tar.gz"
S="${WORKDIR}/${P}"

LICENSE="GPL-2"
SLOT="0"
KEYWORDS="-* amd64"
RESTRICT="fetch mirror"

QA_PREBUILT=""

src_compile() {
	# C of 2003
	emake CC="$(tc-getCC)" LINK="$(tc-getCC)" CFLAGS="${CFLAGS} -std=gnu89" tiotest
}

src_install() {
	dobin tiotest
}
