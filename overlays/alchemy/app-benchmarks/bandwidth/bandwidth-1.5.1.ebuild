# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit by-hand toolchain-funcs

DESCRIPTION="Measures the bandwidth of memory and caches, by the size of what is read"
HOMEPAGE="https://zsmith.co/bandwidth.php"
# his site was gone at times: archives of the web have the file, too
SRC_URI="${P}.tar.gz"
S="${WORKDIR}/${P}"

LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="-* amd64"
RESTRICT="fetch mirror"

BDEPEND="dev-lang/nasm"

QA_PREBUILT=""

src_compile() {
	# it includes a header of System V, of which it uses nothing, and which the C library has no more
	: > "${T}/stropts.h" || die
	# its Makefile overrides CFLAGS
	emake CC="$(tc-getCC) ${CFLAGS} ${LDFLAGS} -I${T}" bandwidth64
}

src_install() {
	newbin bandwidth64 bandwidth
}
