# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Library that parses command lines"
HOMEPAGE="https://github.com/rpm-software-management/popt"
SRC_URI="mirror://debian/pool/main/p/popt/popt_${PV}+dfsg.orig.tar.xz -> ${P}-debian.tar.xz"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	econf --disable-{nls,static}
}

src_install() {
	default
	rm "${ED}/usr/$(get_libdir)"/*.la || die
}
