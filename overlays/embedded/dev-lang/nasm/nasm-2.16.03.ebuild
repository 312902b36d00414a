# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="The assembler of x86 with Intel's syntax"
HOMEPAGE="https://www.nasm.us/"
SRC_URI="
	https://www.nasm.us/pub/nasm/releasebuilds/${PV}/${P}.tar.xz
	mirror://debian/pool/main/n/nasm/nasm_${PV}.orig.tar.xz -> ${P}.tar.xz
"

LICENSE="BSD-2"
SLOT="0"
KEYWORDS="amd64"
