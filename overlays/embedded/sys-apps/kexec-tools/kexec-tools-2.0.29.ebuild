# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Starts another kernel out of the running one, without the firmware in between"
HOMEPAGE="https://kernel.org/pub/linux/utils/kernel/kexec/"
SRC_URI="
	https://www.kernel.org/pub/linux/utils/kernel/kexec/${P}.tar.xz
	mirror://debian/pool/main/k/kexec-tools/kexec-tools_${PV}.orig.tar.xz -> ${P}.tar.xz
"

LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	app-arch/xz-utils
	app-arch/zstd:=
	sys-libs/zlib
"
RDEPEND="${DEPEND}"

src_configure() {
	# its 32-bit purgatory is linked for itself, without the system's flags
	unset LDFLAGS
	econf --without-xen
}

src_install() {
	into /usr
	dosbin build/sbin/kexec
	doman kexec/kexec.8
}
