# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Finds machines, their open ports and what answers there; ncat and nping"
HOMEPAGE="https://nmap.org/"
SRC_URI="mirror://debian/pool/main/n/nmap/nmap_${PV}+dfsg.orig.tar.xz -> ${P}-debian.tar.xz"

LICENSE="NPSL-0.95"
SLOT="0"
KEYWORDS="amd64"

RDEPEND="
	dev-libs/liblinear:=
	dev-libs/openssl:=
	net-libs/libpcap
	sys-libs/gcc-runtime
	sys-libs/zlib
"
DEPEND="
	${RDEPEND}
	dev-libs/libpcre2
"

src_prepare() {
	default
	# an OpenSSL without DTLS leaves out a member that is used all the same
	sed -i '/^#ifndef OPENSSL_NO_DTLS$/,/^#endif/{/^#/d}' nsock/src/nsock_internal.h || die
}

src_configure() {
	tc-export PKG_CONFIG
	# without Lua there are no scripts (NSE), which are larger than all the rest
	econf --with-libdnet=included --without-{liblua,libssh2,ndiff,zenmap,subversion}
}

src_install() {
	emake DESTDIR="${D}" STRIP=: install
	rm -rf "${ED}"/usr/share/{man,ncat} || die
}
