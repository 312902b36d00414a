# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit by-hand toolchain-funcs

DESCRIPTION="BYTE's benchmark of integers, memory and floating point, on one core"
HOMEPAGE="https://www.math.utah.edu/~mayer/linux/bmark.html"
SRC_URI="${PN}-byte-${PV}.tar.gz"
S="${WORKDIR}/${PN}-byte-${PV}"

LICENSE="freedist"
SLOT="0"
KEYWORDS="-* amd64"
RESTRICT="fetch mirror"

QA_PREBUILT=""

src_compile() {
	# C of 1997
	emake CC="$(tc-getCC)" CFLAGS="${CFLAGS} -std=gnu89" LINKFLAGS="${LDFLAGS}"
}

src_install() {
	exeinto /usr/libexec
	doexe nbench
	# it reads this from the folder that it is started in
	insinto /usr/share/nbench
	doins NNET.DAT
	newbin - nbench <<-'EOF'
		#!/bin/sh
		cd /usr/share/nbench && exec /usr/libexec/nbench "$@"
	EOF
}
