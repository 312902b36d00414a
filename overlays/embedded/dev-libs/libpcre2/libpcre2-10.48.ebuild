# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Perl's regular expressions as a library (of 8-bit units)"
HOMEPAGE="https://www.pcre.org/"
SRC_URI="
	https://github.com/PCRE2Project/pcre2/releases/download/pcre2-${PV}/pcre2-${PV}.tar.gz
	mirror://debian/pool/main/p/pcre2/pcre2_${PV}.orig.tar.gz -> pcre2-${PV}.tar.gz
"
S="${WORKDIR}/pcre2-${PV}"

LICENSE="BSD"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	# static only: the shared library of this name is the one that came with openrc
	econf --enable-{jit,static,unicode} --disable-{pcre2grep-libbz2,pcre2grep-libz,pcre2test-libreadline,shared}
}

src_install() {
	default
	rm "${ED}"/usr/bin/pcre2{grep,test} || die
}
