# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit meson

DESCRIPTION="Parser of the kernel's trace events"
HOMEPAGE="https://www.trace-cmd.org/"
SRC_URI="mirror://debian/pool/main/libt/libtraceevent/libtraceevent_${PV}.orig.tar.xz -> ${P}-debian.tar.xz"

LICENSE="LGPL-2.1 GPL-2"
SLOT="0/1"
KEYWORDS="amd64"

src_configure() {
	local emesonargs=( -Ddefault_library=shared -Ddoc=false )
	meson_src_configure
}
