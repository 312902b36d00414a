# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="An event loop that libraries and programs share"
HOMEPAGE="https://www.lysator.liu.se/liboop/"
SRC_URI="mirror://debian/pool/main/libo/liboop/liboop_${PV}.orig.tar.gz -> ${P}-debian.tar.gz"

LICENSE="LGPL-2.1+"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	econf --disable-static --without-{adns,glib,libwww,readline,tcl}
}

src_install() {
	default
	find "${ED}" -name "*.la" -delete || die
}
