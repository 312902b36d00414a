# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit meson

DESCRIPTION="ping, arping, tracepath, clockdiff"
HOMEPAGE="https://github.com/iputils/iputils"
SRC_URI="
	https://github.com/iputils/iputils/releases/download/${PV}/${P}.tar.xz
	mirror://debian/pool/main/i/iputils/iputils_${PV}.orig.tar.xz -> ${P}.tar.xz
"

LICENSE="BSD GPL-2+"
SLOT="0"
KEYWORDS="amd64"

DEPEND="sys-libs/libcap"
RDEPEND="${DEPEND}"

emesonargs=(
	-DUSE_IDN=false -DUSE_GETTEXT=false -DBUILD_MANS=false -DSKIP_TESTS=true
)
