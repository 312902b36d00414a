# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Shows and sets what an ATA disk can: caches, security, sleep; times its reads"
HOMEPAGE="https://sourceforge.net/projects/hdparm/"
SRC_URI="mirror://debian/pool/main/h/hdparm/hdparm_${PV}+ds.orig.tar.xz -> ${P}-debian.tar.xz"

LICENSE="BSD GPL-2"
SLOT="0"
KEYWORDS="amd64"

src_compile() {
	emake CC="$(tc-getCC)" STRIP=:
}

src_install() {
	dosbin hdparm
}
