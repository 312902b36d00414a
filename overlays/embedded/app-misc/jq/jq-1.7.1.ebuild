# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo

DESCRIPTION="Takes JSON apart and puts it together, on the command line"
HOMEPAGE="https://jqlang.github.io/jq/"
SRC_URI="
	https://github.com/jqlang/jq/archive/refs/tags/jq-${PV}.tar.gz -> ${P}.gh.tar.gz
	mirror://debian/pool/main/j/jq/jq_${PV}.orig.tar.gz -> ${P}.gh.tar.gz
"
S="${WORKDIR}/jq-jq-${PV}"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"

DEPEND="dev-libs/oniguruma:="
RDEPEND="${DEPEND}"

src_prepare() {
	default
	# git describe, in the archive of a tag
	printf '#!/bin/sh\nprintf %s\n' "${PV}" >scripts/version || die
	edo autoreconf -fi
}

src_configure() {
	econf --disable-{docs,static,valgrind} --with-oniguruma="${ESYSROOT}/usr"
}

src_install() {
	default
	rm "${ED}/usr/$(get_libdir)"/*.la || die
}
