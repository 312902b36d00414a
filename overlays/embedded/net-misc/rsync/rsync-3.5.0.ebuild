# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Copies trees of files between machines, and only what has changed"
HOMEPAGE="https://rsync.samba.org/"
SRC_URI="mirror://debian/pool/main/r/rsync/rsync_${PV}+ds1.orig.tar.xz -> ${P}-debian.tar.xz"

LICENSE="GPL-3+"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	app-arch/zstd:=
	dev-libs/openssl:=
	dev-libs/popt
	sys-libs/zlib
"
RDEPEND="${DEPEND}"

src_prepare() {
	default
	# Debian's archive leaves out the bundled libraries, and configure asks for a file of theirs
	mkdir popt zlib && touch {popt,zlib}/dummy.in || die
}

src_configure() {
	econf --enable-{openssl,zstd} --disable-{acl-support,debug,lz4,md2man,xxhash} \
		--without-included-{popt,zlib} --with-rsyncd-conf="${EPREFIX}/etc/rsyncd.conf"
}

src_compile() {
	emake rsync
}

src_install() {
	dobin rsync
}
