# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit unpacker

DESCRIPTION="Says all that a CPU says of itself by its instruction of that name"
HOMEPAGE="http://www.etallen.com/cpuid.html"
# Debian's build: its source is not on every mirror of Debian
SRC_URI="mirror://debian/pool/main/c/cpuid/cpuid_${PV}-1_amd64.deb"
S="${WORKDIR}"

LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="-* amd64"

QA_PREBUILT="*"

src_install() {
	dobin usr/bin/cpuid
}
