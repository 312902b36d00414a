# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo

DESCRIPTION="Puts load on CPU, memory, I/O and disks"
HOMEPAGE="https://github.com/resurrecting-open-source-projects/stress"
SRC_URI="
	https://github.com/resurrecting-open-source-projects/stress/archive/refs/tags/${PV}.tar.gz -> ${P}.gh.tar.gz
	mirror://debian/pool/main/s/stress/stress_${PV}.orig.tar.gz -> ${P}.gh.tar.gz
"

LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="amd64"

src_prepare() {
	default
	edo autoreconf --force --install
}
