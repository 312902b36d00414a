# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit meson

DESCRIPTION="ndctl, daxctl and cxl: persistent memory, DAX devices and CXL memory"
HOMEPAGE="https://github.com/pmem/ndctl"
SRC_URI="
	https://github.com/pmem/ndctl/archive/refs/tags/v${PV}.tar.gz -> ${P}.gh.tar.gz
	mirror://debian/pool/main/n/ndctl/ndctl_${PV}.orig.tar.gz -> ${P}.gh.tar.gz
"

LICENSE="GPL-2 LGPL-2.1 MIT CC0-1.0"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	dev-libs/iniparser:=
	dev-libs/json-c:=
	dev-libs/libtraceevent:=
	dev-libs/libtracefs:=
	sys-apps/keyutils:=
	sys-apps/kmod
	sys-apps/util-linux
"
RDEPEND="${DEPEND}"

src_prepare() {
	default
	# it asks udev only whether events are pending, and no udev runs in the image
	printf '%s\n' "Name: libudev" "Description: none" "Version: 0" "Cflags: -I${FILESDIR}" >"${T}/libudev.pc" || die
}

src_configure() {
	local emesonargs=(
		-Dversion-tag="${PV}"
		-Ddocs=disabled
		-Dasciidoctor=disabled
		-Dsystemd=disabled
		-Drootprefix="${EPREFIX}/usr"
		-Drootlibdir="$(get_libdir)"
		-Dbashcompletiondir=no
	)
	PKG_CONFIG_PATH="${T}" meson_src_configure
}

src_install() {
	meson_src_install
	# examples of configuration, and modprobe rules for drivers that are built into the kernel
	rm -r "${ED}"/etc || die
}
