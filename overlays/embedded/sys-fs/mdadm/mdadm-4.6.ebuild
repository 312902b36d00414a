# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Makes, assembles, grows and watches the RAID arrays of the kernel"
HOMEPAGE="https://git.kernel.org/pub/scm/utils/mdadm/mdadm.git"
SRC_URI="
	https://www.kernel.org/pub/linux/utils/raid/mdadm/${P}.tar.xz
	mirror://debian/pool/main/m/mdadm/mdadm_${PV}.orig.tar.xz -> ${P}.tar.xz
"

LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="amd64"

src_compile() {
	emake CC="$(tc-getCC)" CWFLAGS="${CFLAGS}" CXFLAGS="-DNO_LIBUDEV -DNO_DLM -DNO_COROSYNC" LDFLAGS="${LDFLAGS}" \
		CHECK_RUN_DIR=0 mdadm mdmon
}

src_install() {
	dosbin mdadm mdmon
}
