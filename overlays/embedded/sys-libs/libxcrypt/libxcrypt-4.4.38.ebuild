# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo

DESCRIPTION="The library that hashes passwords, with the interface of libcrypt.so.1"
HOMEPAGE="https://github.com/besser82/libxcrypt"
SRC_URI="mirror://debian/pool/main/libx/libxcrypt/libxcrypt_${PV}.orig.tar.xz -> ${P}-debian.tar.xz"

LICENSE="LGPL-2.1+ public-domain BSD BSD-2"
SLOT="0/1"
KEYWORDS="amd64"

src_prepare() {
	default
	# a macro of libltdl, whose answer for every ELF system is no
	sed -i 's/^LT_SYS_SYMBOL_USCORE$/sys_symbol_underscore=no/' configure.ac || die
	edo ./autogen.sh
}

src_configure() {
	econf --disable-static --disable-werror --disable-xcrypt-compat-files --enable-obsolete-api=yes --enable-hashes=all
}

src_install() {
	default
	find "${D}" -name '*.la' -delete || die
}
