# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit unpacker

DESCRIPTION="Loads CPU, memory, disks and the kernel in three hundred ways, and verifies"
HOMEPAGE="https://github.com/ColinIanKing/stress-ng"
# Debian's build: its source is not on every mirror of Debian. The libraries that no other program here wants are
# Debian's too, in a folder of their own.
SRC_URI="
	mirror://debian/pool/main/s/stress-ng/stress-ng_${PV}-1_amd64.deb
	mirror://debian/pool/main/a/acl/libacl1_2.3.2-2+b1_amd64.deb
	mirror://debian/pool/main/a/apparmor/libapparmor1_4.1.0-1_amd64.deb
	mirror://debian/pool/main/e/expat/libexpat1_2.9.0-1~deb13u1_amd64.deb
	mirror://debian/pool/main/g/gmp/libgmp10_6.3.0+dfsg-3_amd64.deb
	mirror://debian/pool/main/i/intel-ipsec-mb/libipsec-mb2_2.0-1+b1_amd64.deb
	mirror://debian/pool/main/j/judy/libjudydebian1_1.0.5-5.1_amd64.deb
	mirror://debian/pool/main/libb/libbsd/libbsd0_0.12.2-2_amd64.deb
	mirror://debian/pool/main/libd/libdrm/libdrm2_2.4.124-2_amd64.deb
	mirror://debian/pool/main/libg/libglvnd/libegl1_1.7.0-1+b2_amd64.deb
	mirror://debian/pool/main/libg/libglvnd/libgles2_1.7.0-1+b2_amd64.deb
	mirror://debian/pool/main/libg/libglvnd/libglvnd0_1.7.0-1+b2_amd64.deb
	mirror://debian/pool/main/libj/libjpeg-turbo/libjpeg62-turbo_2.1.5-4_amd64.deb
	mirror://debian/pool/main/libm/libmd/libmd0_1.1.0-2+b1_amd64.deb
	mirror://debian/pool/main/l/lksctp-tools/libsctp1_1.0.21+dfsg-1_amd64.deb
	mirror://debian/pool/main/m/mesa/libgbm1_25.0.7-2+deb13u1_amd64.deb
	mirror://debian/pool/main/m/mpfr4/libmpfr6_4.2.2-1_amd64.deb
	mirror://debian/pool/main/x/xxhash/libxxhash0_0.8.3-2_amd64.deb
"
S="${WORKDIR}"

LICENSE="GPL-2+ LGPL-2.1 LGPL-2.1+ LGPL-3+ BSD BSD-2 BSD-4 IJG ISC MIT ZLIB"
SLOT="0"
KEYWORDS="-* amd64"

RDEPEND="
	sys-apps/kmod
	sys-libs/gcc-runtime
	sys-libs/libxcrypt
	sys-libs/zlib
"
BDEPEND="dev-util/patchelf"

QA_PREBUILT="*"

src_compile() {
	# DT_RPATH, as it holds for what the libraries need in turn
	patchelf --force-rpath --set-rpath "${EPREFIX}/usr/$(get_libdir)/stress-ng" usr/bin/stress-ng || die
}

src_install() {
	dobin usr/bin/stress-ng
	exeinto "/usr/$(get_libdir)/stress-ng"
	local lib
	for lib in usr/lib/x86_64-linux-gnu/*.so.*; do
		[[ ! -L ${lib} || ${lib} == */libexpatw.* ]] || doexe "${lib}"
	done
}
