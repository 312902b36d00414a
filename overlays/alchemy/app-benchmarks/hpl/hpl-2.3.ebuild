# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit by-hand edo toolchain-funcs

DESCRIPTION="High-Performance Linpack in one process: the FLOPS of all cores"
HOMEPAGE="https://www.netlib.org/benchmark/hpl/"
SRC_URI="${P}.tar.gz"
S="${WORKDIR}/${P}"

LICENSE="BSD-4"
SLOT="0"
KEYWORDS="-* amd64"
RESTRICT="fetch mirror"

RDEPEND="sci-libs/openblas"
DEPEND="${RDEPEND}"

QA_PREBUILT=""

src_compile() {
	# One process, whose BLAS uses all cores: mpi.h of files/ is what HPL asks of MPI then. Its Makefiles want an MPI.
	local sources
	mapfile -t sources < <(find src testing -name "*.c")
	edo $(tc-getCC) ${CFLAGS} ${LDFLAGS} -std=gnu89 -I"${FILESDIR}" -Iinclude -DHPL_CALL_CBLAS \
		-o xhpl "${sources[@]}" -lopenblas -lm
}

src_install() {
	exeinto /usr/libexec
	doexe xhpl
	insinto /etc/hpl
	doins "${FILESDIR}/HPL.dat"
	# it reads HPL.dat in the folder that it is started in
	newbin - xhpl <<-'EOF'
		#!/bin/sh
		[ -e HPL.dat ] || cd /etc/hpl || exit 1
		exec /usr/libexec/xhpl "$@"
	EOF
}
