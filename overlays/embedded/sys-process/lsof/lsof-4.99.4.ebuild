# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo

DESCRIPTION="Lists open files and sockets, and the processes that hold them"
HOMEPAGE="https://github.com/lsof-org/lsof"
SRC_URI="mirror://debian/pool/main/l/lsof/lsof_${PV}+dfsg.orig.tar.xz -> ${P}-debian.tar.xz"

LICENSE="lsof"
SLOT="0"
KEYWORDS="amd64"

src_prepare() {
	default
	edo autoreconf -fi
}

src_configure() {
	econf --disable-{liblsof,static} --without-{libtirpc,selinux}
}

src_compile() {
	# not the manual, which takes soelim
	emake lsof
}

src_install() {
	dobin lsof
}
