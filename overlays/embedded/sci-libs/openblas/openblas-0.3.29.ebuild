# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Linear algebra (BLAS) with kernels for each generation of processors"
HOMEPAGE="https://www.openmathlib.org/OpenBLAS/"
# Debian's tarball is without the reference LAPACK. What is here uses neither that nor complex numbers.
SRC_URI="mirror://debian/pool/main/o/openblas/openblas_${PV}+ds.orig.tar.xz -> ${P}-debian.tar.xz"
S="${WORKDIR}/OpenBLAS-${PV}"

LICENSE="BSD"
SLOT="0"
KEYWORDS="amd64"

_emake() {
	# kernels of AVX, AVX2 and AVX-512 beside that of plain x86_64: what the CPU can run is chosen at run time
	emake \
		CC="$(tc-getCC)" HOSTCC="$(tc-getBUILD_CC)" AR="$(tc-getAR)" RANLIB="$(tc-getRANLIB)" \
		DYNAMIC_ARCH=1 DYNAMIC_LIST="SANDYBRIDGE HASWELL SKYLAKEX" TARGET=GENERIC NUM_THREADS=512 \
		NOFORTRAN=1 NO_LAPACK=1 NO_LAPACKE=1 NO_AFFINITY=1 NO_WARMUP=1 NO_SHARED=1 \
		BUILD_SINGLE=1 BUILD_DOUBLE=1 PREFIX="${EPREFIX}/usr" OPENBLAS_LIBRARY_DIR="${EPREFIX}/usr/$(get_libdir)" \
		"$@"
}

src_compile() {
	_emake libs
}

src_install() {
	_emake DESTDIR="${D}" install
}
