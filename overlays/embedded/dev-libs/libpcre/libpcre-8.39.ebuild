# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Perl's regular expressions as a library: the old series, before libpcre2"
HOMEPAGE="https://www.pcre.org/"
SRC_URI="
	https://downloads.sourceforge.net/pcre/pcre-${PV}.tar.bz2
	mirror://debian/pool/main/p/pcre3/pcre3_${PV}.orig.tar.bz2 -> pcre-${PV}.tar.bz2
"
S="${WORKDIR}/pcre-${PV}"

LICENSE="BSD"
SLOT="3"
KEYWORDS="amd64"

src_configure() {
	econf --disable-{cpp,pcregrep-libbz2,pcregrep-libz,pcretest-libreadline,static} --enable-{jit,utf,unicode-properties}
}

src_install() {
	default
	rm -r "${ED}"/usr/bin/pcre{grep,test} "${ED}/usr/$(get_libdir)"/{*.la,libpcreposix.so*} || die
}
