# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit unpacker

DESCRIPTION="Microcode that the kernel loads into Intel's CPUs"
HOMEPAGE="https://github.com/intel/Intel-Linux-Processor-Microcode-Data-Files"
# Debian's build also has the files that upstream keeps apart for what may go wrong when they are loaded late
SRC_URI="
	mirror://debian/pool/non-free-firmware/i/intel-microcode/intel-microcode_3.${PV}.1~deb13u1_amd64.deb
		-> ${P}.deb
"
S="${WORKDIR}"

LICENSE="intel-ucode"
SLOT="0"
KEYWORDS="-* amd64"
RESTRICT="strip"

QA_PREBUILT="*"

src_install() {
	insinto /usr/lib/firmware
	doins -r usr/lib/firmware/intel-ucode
}
