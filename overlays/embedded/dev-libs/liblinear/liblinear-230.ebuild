# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo toolchain-funcs

DESCRIPTION="Library of linear classifiers: nmap tells IPv6 systems apart with it"
HOMEPAGE="https://www.csie.ntu.edu.tw/~cjlin/liblinear/"
SRC_URI="mirror://debian/pool/main/libl/liblinear/liblinear_2.3.0+dfsg.orig.tar.xz -> ${P}-debian.tar.xz"
S="${WORKDIR}/${PN}-2.30"

LICENSE="BSD"
SLOT="0/3"
KEYWORDS="amd64"

RDEPEND="sys-libs/gcc-runtime"

src_compile() {
	# of all BLAS it calls four loops, for which no BLAS has to be in the image
	edo $(tc-getCC) ${CFLAGS} -fPIC -c "${FILESDIR}"/blas.c
	edo $(tc-getCXX) ${CXXFLAGS} ${LDFLAGS} -fPIC -shared -Wl,-soname,liblinear.so.3 -o liblinear.so.3 \
		linear.cpp tron.cpp blas.o
}

src_install() {
	doheader linear.h
	dolib.so liblinear.so.3
	dosym liblinear.so.3 "/usr/$(get_libdir)/liblinear.so"
}
