# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo toolchain-funcs

DESCRIPTION="InfiniBand and RoCE: libraries, ibv_devinfo, ibstat, rping, fabric diagnostics"
HOMEPAGE="https://github.com/linux-rdma/rdma-core"
SRC_URI="
	https://github.com/linux-rdma/rdma-core/releases/download/v${PV}/${P}.tar.gz
	mirror://debian/pool/main/r/rdma-core/rdma-core_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="|| ( GPL-2 BSD-2 ) MIT CC0-1.0"
SLOT="0"
KEYWORDS="amd64"

DEPEND="dev-libs/libnl:3"
RDEPEND="
	${DEPEND}
	app-shells/bash
"

src_prepare() {
	default
	# no daemons, no tests, and of the providers those whose drivers kernels/x86_64/fragments has
	sed -i -E -e '/add_subdirectory\((ibacm|iwpmd|srp_daemon|kernel-boot|Documentation|.*tests)\)/d' \
		-e '/add_subdirectory\(providers\/(erdma|hns|mana|siw|vmw_pvrdma)\b/d' CMakeLists.txt || die
}

src_configure() {
	tc-export CC PKG_CONFIG
	edo cmake -B "${T}/build" -DCMAKE_INSTALL_PREFIX="${EPREFIX}/usr" -DCMAKE_INSTALL_LIBDIR="$(get_libdir)" \
		-DCMAKE_INSTALL_SYSCONFDIR="${EPREFIX}/etc" -DCMAKE_INSTALL_RUNDIR=/run -DCMAKE_BUILD_TYPE=None \
		-DENABLE_VALGRIND=0 -DNO_MAN_PAGES=1 -DNO_PYVERBS=1 \
		-DCMAKE_DISABLE_FIND_PACKAGE_UDev=ON -DCMAKE_DISABLE_FIND_PACKAGE_Systemd=ON
}

src_compile() {
	emake -C "${T}/build"
}

src_install() {
	emake -C "${T}/build" DESTDIR="${D}" install
	# scripts in Perl, samples of code, what a subnet manager's administrator uses, and modprobe's rules for modules
	cd "${ED}" || die
	rm -r etc/modprobe.d usr/libexec usr/share/perl5 usr/sbin/*.pl "usr/$(get_libdir)"/rsocket \
		usr/bin/{cmtime,rcopy,rdma_*,riostream,rstream,udpong} \
		usr/sbin/{dump_*,ibcacheedit,ibccconfig,ibccquery,ibsysstat} || die
}
