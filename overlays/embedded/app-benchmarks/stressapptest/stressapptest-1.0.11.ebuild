# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit unpacker

DESCRIPTION="Stresses memory and its controller as a busy server does"
HOMEPAGE="https://github.com/stressapptest/stressapptest"
# Debian's build: its source is not on every mirror of Debian
SRC_URI="mirror://debian/pool/main/s/stressapptest/stressapptest_${PV}-2+b1_amd64.deb"
S="${WORKDIR}"

LICENSE="Apache-2.0"
SLOT="0"
KEYWORDS="-* amd64"

RDEPEND="
	dev-libs/libaio
	sys-libs/gcc-runtime
"
BDEPEND="dev-util/patchelf"

QA_PREBUILT="*"

src_compile() {
	# Debian renamed the library for a time of 64 bits, which it has on amd64 anyway
	patchelf --replace-needed libaio.so.1t64 libaio.so.1 usr/bin/stressapptest || die
}

src_install() {
	dobin usr/bin/stressapptest
}
