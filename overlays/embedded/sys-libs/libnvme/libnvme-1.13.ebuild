# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit unpacker

DESCRIPTION="The library of nvme-cli"
HOMEPAGE="https://github.com/linux-nvme/libnvme"
# Debian's build: its source is not on every mirror of Debian
SRC_URI="
	mirror://debian/pool/main/libn/libnvme/libnvme1t64_${PV}-2_amd64.deb
	mirror://debian/pool/main/libn/libnvme/libnvme-dev_${PV}-2_amd64.deb
"
S="${WORKDIR}/usr"

LICENSE="LGPL-2.1+"
SLOT="0/1"
KEYWORDS="-* amd64"

RDEPEND="
	dev-libs/json-c:=
	dev-libs/openssl:=
	sys-apps/keyutils:=
"

QA_PREBUILT="*"

src_install() {
	dolib.so lib/x86_64-linux-gnu/libnvme*.so*
	insinto "/usr/$(get_libdir)/pkgconfig"
	# what it is linked with itself need not be known to who links with it
	sed -i '/^Requires.private/d' lib/x86_64-linux-gnu/pkgconfig/*.pc || die
	doins lib/x86_64-linux-gnu/pkgconfig/*.pc
	doheader -r include/*
}
