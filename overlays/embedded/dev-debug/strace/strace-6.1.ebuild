# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Shows the system calls of a program"
HOMEPAGE="https://strace.io/"
# the newest whose source every mirror has
SRC_URI="
	https://github.com/strace/strace/releases/download/v${PV}/${P}.tar.xz
	mirror://debian/pool/main/s/strace/strace_${PV}.orig.tar.xz -> ${P}.tar.xz
"

LICENSE="LGPL-2.1+ GPL-2+"
SLOT="0"
KEYWORDS="amd64"

src_prepare() {
	default
	# glibc 2.41 has a struct of that name
	sed -i 's/struct sched_attr/struct strace_sched_attr/' src/sched{.c,_attr.h} || die
}

src_configure() {
	econf --enable-bundled=yes --enable-mpers=no --disable-{gcc-Werror,stacktrace,static} --without-libselinux
}

src_install() {
	dobin src/strace
	doman doc/strace.1
}
