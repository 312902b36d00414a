# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

MY_P="${P}-stable"

DESCRIPTION="Event loop library (its core: no HTTP, DNS or RPC)"
HOMEPAGE="https://libevent.org/"
SRC_URI="
	https://github.com/libevent/libevent/releases/download/release-${PV}-stable/${MY_P}.tar.gz
	mirror://debian/pool/main/libe/libevent/libevent_${PV}-stable.orig.tar.gz -> ${MY_P}.tar.gz
"
S="${WORKDIR}/${MY_P}"

LICENSE="BSD"
SLOT="0/2.1-7"
KEYWORDS="amd64"

src_configure() {
	econf --disable-static --disable-openssl --disable-thread-support --disable-samples \
		--disable-libevent-regress --disable-debug-mode --disable-doxygen-doc
}

src_install() {
	local lib="${ED}/usr/$(get_libdir)"

	default
	# the core library is the part of libevent that this image's programs use: it stands for the whole
	rm -r "${lib}"/libevent{,_extra}{.so,-*} "${lib}"/pkgconfig/libevent_extra.pc "${lib}"/*.la \
		"${ED}"/usr/bin || die
	dosym libevent_core.so "/usr/$(get_libdir)/libevent.so"
}
