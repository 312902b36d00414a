# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit by-hand toolchain-funcs

DESCRIPTION="Advanced Clustering's burn-in: tests for days, and a screen of what failed"
HOMEPAGE="https://github.com/reperio/breakin"
# breakin-3.2.tar.gz was on the vendor's Git server in 2012; nobody is known to publish it today. HOMEPAGE has a copy
# of its history: pack what you take of it under this name. This was written by what is public of Breakin's Makefiles,
# scripts and packages, without the file, and builds a stand-in of that layout.
# Another version: ./run ebuild.bump
SRC_URI="${P}.tar.gz"
S="${WORKDIR}/${P}"

# no file of it grants anything, but bench_stream.c, which is of STREAM
LICENSE="all-rights-reserved STREAM"
SLOT="0"
KEYWORDS="-* amd64"
RESTRICT="bindist fetch mirror"

RDEPEND="
	app-benchmarks/linpack
	net-misc/curl
	sys-apps/ipmitool
	sys-apps/smartmontools
	sys-fs/e2fsprogs
	sys-libs/ncurses:=
"
DEPEND="
	net-misc/curl
	sys-libs/ncurses:=
"

QA_PREBUILT=""

src_unpack() {
	by-hand_untar "${A}"
}

src_prepare() {
	default
	# Without HPL, MPI and mcelog, which its boot image had, these two pass without a run. linpack is the load instead.
	rm -f scripts/tests/{hpl,mcelog} || die
	cp "${FILESDIR}/linpack" scripts/tests/ || die
	# they are written for the shell, the folders and the library of its boot image
	find scripts -type f -exec sed -i \
		-e '1s:/bin/ash:/bin/sh:' \
		-e 's:@DESTDIR@::g' \
		-e 's:\(/usr/local\|\${DESTDIR}\)/bin/breakin:/opt/bin/breakin:' \
		-e 's:/usr/s\?bin/\(badblocks\|dmidecode\|ipmitool\|smartctl\):\1:' \
		-e 's:^\. /etc/library\.sh:[ ! -e /etc/library.sh ] || &:' \
		{} + || die
}

src_compile() {
	local libs
	libs=$($(tc-getPKG_CONFIG) --libs panel ncurses libcurl) || die
	# C of 2006, which compilers of today refuse, and Makefiles that override CFLAGS
	emake CC="$(tc-getCC) ${CFLAGS} ${LDFLAGS} -std=gnu99 -fpermissive -fcommon" \
		LIBS="${libs}" VERSION="${PV}" DESTDIR= breakin
}

src_install() {
	by-hand_install breakin breakin
	# the program knows no other folder
	exeinto /etc/breakin
	doexe scripts/*.sh
	exeinto /etc/breakin/tests
	doexe scripts/tests/*
}
