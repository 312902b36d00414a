# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit unpacker

DESCRIPTION="Sends a file or disk image to many machines at once by multicast"
HOMEPAGE="http://www.udpcast.linux.lu/"
# Debian's build: its source is not on every mirror of Debian
SRC_URI="mirror://debian/pool/main/u/udpcast/${PN}_${PV}-2+b1_amd64.deb"
S="${WORKDIR}"

LICENSE="GPL-2+ BSD-2"
SLOT="0"
KEYWORDS="-* amd64"

QA_PREBUILT="*"

src_install() {
	dobin usr/bin/udp-{receiver,sender}
}
