# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit by-hand toolchain-funcs

DESCRIPTION="Measures networks with many streams at once: TCP, UDP, multicast"
HOMEPAGE="https://github.com/udhos/nepim/tags"
# what its author calls v0.54.tar.gz
SRC_URI="${P}.tar.gz"
S="${WORKDIR}/${P}/src"

LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="-* amd64"
RESTRICT="fetch mirror"

RDEPEND="dev-libs/liboop"
DEPEND="${RDEPEND}"

QA_PREBUILT=""

src_compile() {
	# C of 2008, and a Makefile that says in CFLAGS what the system has
	emake CC="$(tc-getCC) ${CFLAGS} ${LDFLAGS} -std=gnu99 -fpermissive" \
		OOP_INC="${ESYSROOT}/usr/include" OOP_LIB="${ESYSROOT}/usr/$(get_libdir)"
}

src_install() {
	dobin nepim
}
