# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit by-hand

DESCRIPTION="mprime, whose torture test finds what is wrong with a CPU or its memory"
HOMEPAGE="https://www.mersenne.org/download/"
# what its author calls p95v3019b13.linux64.tar.gz
SRC_URI="${P}.linux64.tar.gz"

LICENSE="GIMPS"
SLOT="0"
KEYWORDS="-* amd64"

RDEPEND="
	net-misc/curl
	sys-libs/gcc-runtime
"

src_install() {
	by-hand_install mprime mprime libgmp.so.10*
}
