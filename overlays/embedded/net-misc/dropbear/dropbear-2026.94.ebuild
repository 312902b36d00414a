# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Small SSH server and client"
HOMEPAGE="https://matt.ucc.asn.au/dropbear/dropbear.html"
SRC_URI="
	https://matt.ucc.asn.au/dropbear/releases/${P}.tar.bz2
	mirror://debian/pool/main/d/dropbear/dropbear_${PV}.orig.tar.bz2 -> ${P}.tar.bz2
"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"

DEPEND="sys-libs/libxcrypt:="
RDEPEND="${DEPEND}"

PROGRAMS="dropbear dropbearkey dbclient"

src_configure() {
	cat > localoptions.h <<-EOF || die
		#define DROPBEAR_PIDFILE "${EPREFIX}/run/dropbear.pid"
		#define SFTPSERVER_PATH "${EPREFIX}/usr/$(get_libdir)/misc/sftp-server"
	EOF
	tc-export AR CC RANLIB STRIP
	econf --disable-zlib --disable-pam --disable-lastlog --enable-bundled-libtom
}

src_compile() {
	# the library's programs are one file, and links to it
	emake MULTI=1 PROGRAMS="${PROGRAMS}"
}

src_install() {
	emake MULTI=1 PROGRAMS="${PROGRAMS}" DESTDIR="${D}" install
	keepdir /etc/dropbear
}
