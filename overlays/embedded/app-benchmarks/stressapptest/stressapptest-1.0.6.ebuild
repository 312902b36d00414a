# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Stresses memory and its controller with what looks like a busy server, and finds what flips"
HOMEPAGE="https://github.com/stressapptest/stressapptest"
# Debian's build, the one program here that is not compiled: its source is not on every mirror of Debian
SRC_URI="mirror://debian/pool/main/s/stressapptest/stressapptest_${PV}-2.2_amd64.deb"
S="${WORKDIR}"

LICENSE="Apache-2.0"
SLOT="0"
KEYWORDS="-* amd64"

RDEPEND="
	dev-libs/libaio
	sys-libs/gcc-runtime
"

QA_PREBUILT="*"

src_unpack() {
	mkdir data || die
	ar p "${DISTDIR}/${A}" data.tar.xz | tar -xJ -C data || die
}

src_install() {
	dobin data/usr/bin/stressapptest
}
