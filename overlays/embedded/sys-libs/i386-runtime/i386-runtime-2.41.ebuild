# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit unpacker

DESCRIPTION="The C library and the compiler's libraries for programs of 32 bits"
HOMEPAGE="https://www.gnu.org/software/libc/"
# Debian's build: the build root's compiler has none for 32 bits
SRC_URI="
	mirror://debian/pool/main/g/glibc/libc6-i386_${PV}-12+deb13u5_amd64.deb
	mirror://debian/pool/main/g/gcc-14/lib32gcc-s1_14.2.0-19_amd64.deb
	mirror://debian/pool/main/g/gcc-14/lib32stdc++6_14.2.0-19_amd64.deb
"
S="${WORKDIR}"

LICENSE="LGPL-2.1+ BSD ISC GPL-3+ gcc-runtime-library-exception-3.1"
SLOT="0"
KEYWORDS="-* amd64"
RESTRICT="strip"

QA_PREBUILT="*"

src_install() {
	exeinto /usr/lib32
	doexe usr/lib32/ld-linux.so.2 usr/lib32/lib{c,m}.so.6 usr/lib32/lib{gcc_s,pthread,rt,util}.so.*
	doexe usr/lib32/lib{dl,nss_dns,nss_files,resolv}.so.2
	newexe usr/lib32/libstdc++.so.6.* libstdc++.so.6
	# every program of 32 bits names this file
	dosym ../lib32/ld-linux.so.2 /usr/lib/ld-linux.so.2
	newenvd - 50i386-runtime <<<'LDPATH="/usr/lib32"'
}
