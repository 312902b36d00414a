# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Builds seccomp filters from the names of system calls"
HOMEPAGE="https://github.com/seccomp/libseccomp"
SRC_URI="
	https://github.com/seccomp/libseccomp/releases/download/v${PV}/${P}.tar.gz
	mirror://debian/pool/main/libs/libseccomp/libseccomp_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="LGPL-2.1"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	econf --disable-static --disable-python
}

src_install() {
	default
	# a program for developers, and what libtool leaves
	rm "${ED}"/usr/bin/scmp_sys_resolver "${ED}/usr/$(get_libdir)"/libseccomp.la || die
}
