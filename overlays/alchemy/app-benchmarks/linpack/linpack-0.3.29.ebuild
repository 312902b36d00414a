# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Solves dense systems of equations, in double precision, with every core"
HOMEPAGE="https://www.openmathlib.org/OpenBLAS/"
# OpenBLAS with its own benchmark, by the version of OpenBLAS: it needs neither MPI nor Fortran, as HPL does.
# Debian's tarball is without the reference LAPACK, which LINPACK has no use for.
SRC_URI="mirror://debian/pool/main/o/openblas/openblas_${PV}+ds.orig.tar.xz -> openblas-${PV}-debian.tar.xz"
S="${WORKDIR}/OpenBLAS-${PV}"

LICENSE="BSD"
SLOT="0"
KEYWORDS="amd64"

src_compile() {
	# kernels of AVX, AVX2 and AVX-512 beside that of plain x86_64: what the CPU can run is chosen at run time
	local blas=(
		CC="$(tc-getCC)" HOSTCC="$(tc-getBUILD_CC)" AR="$(tc-getAR)" RANLIB="$(tc-getRANLIB)"
		DYNAMIC_ARCH=1 DYNAMIC_LIST="SANDYBRIDGE HASWELL SKYLAKEX" TARGET=GENERIC NUM_THREADS=512
		NOFORTRAN=1 NO_LAPACKE=1 NO_CBLAS=1 NO_SHARED=1 NO_AFFINITY=1 NO_WARMUP=1
		BUILD_SINGLE=1 BUILD_DOUBLE=1
	)
	emake "${blas[@]}" libs
	emake "${blas[@]}" -C benchmark dlinpack.goto
}

src_install() {
	newbin benchmark/dlinpack.goto linpack
}
