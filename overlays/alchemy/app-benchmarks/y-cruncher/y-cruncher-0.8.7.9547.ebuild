# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit by-hand

DESCRIPTION="Calculates pi and other constants: a benchmark and a test of CPU and memory"
HOMEPAGE="https://www.numberworld.org/y-cruncher/#Download"
# what its author calls "y-cruncher v0.8.7.9547-static.tar.xz"
SRC_URI="${P}-static.tar.xz"

LICENSE="y-cruncher"
SLOT="0"
KEYWORDS="-* amd64"

src_install() {
	cd "${PN} v${PV}-static" || die
	by-hand_install y-cruncher y-cruncher
	# it starts one of these, by the CPU
	cp -r Binaries "${ED}/opt/${PN}" || die
}
