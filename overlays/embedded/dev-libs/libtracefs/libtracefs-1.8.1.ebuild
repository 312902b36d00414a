# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit unpacker

DESCRIPTION="Library of the kernel's tracefs"
HOMEPAGE="https://www.trace-cmd.org/"
# Debian's build: its source is not on every mirror of Debian
SRC_URI="
	mirror://debian/pool/main/libt/libtracefs/libtracefs1_${PV}-1_amd64.deb
	mirror://debian/pool/main/libt/libtracefs/libtracefs-dev_${PV}-1_amd64.deb
"
S="${WORKDIR}/usr"

LICENSE="LGPL-2.1"
SLOT="0/1"
KEYWORDS="-* amd64"

RDEPEND="dev-libs/libtraceevent:="

QA_PREBUILT="*"

src_install() {
	dolib.so lib/x86_64-linux-gnu/libtracefs.so*
	insinto "/usr/$(get_libdir)/pkgconfig"
	doins lib/x86_64-linux-gnu/pkgconfig/libtracefs.pc
	doheader -r include/*
}
