# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="The netlink library: links, addresses, routes and neighbours"
HOMEPAGE="https://github.com/thom311/libnl"
SRC_URI="
	https://github.com/thom311/libnl/releases/download/libnl${PV//./_}/${P}.tar.gz
	mirror://debian/pool/main/libn/libnl3/libnl3_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="LGPL-2.1"
SLOT="3"
KEYWORDS="amd64"

src_configure() {
	econf --disable-static --disable-cli --disable-debug
}

src_install() {
	default
	# rdma-core calls libnl and libnl-route only
	cd "${ED}/usr/$(get_libdir)" || die
	rm {,pkgconfig/}libnl-{genl,idiag,nf,xfrm}-3.* libnl{,-route}-3.la || die
	rm -r "${ED}"/etc || die
}
