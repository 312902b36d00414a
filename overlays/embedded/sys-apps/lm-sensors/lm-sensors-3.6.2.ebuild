# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="sensors: temperatures, fans and voltages, as the kernel's drivers read them"
HOMEPAGE="https://github.com/lm-sensors/lm-sensors"
SRC_URI="
	https://github.com/lm-sensors/lm-sensors/archive/V${PV//./-}.tar.gz -> ${P}.gh.tar.gz
	mirror://debian/pool/main/l/lm-sensors/lm-sensors_${PV}.orig.tar.gz -> ${P}.gh.tar.gz
"
S="${WORKDIR}/${PN}-${PV//./-}"

LICENSE="GPL-2+ LGPL-2.1+"
SLOT="0"
KEYWORDS="amd64"

_make() {
	emake CC="$(tc-getCC)" CFLAGS="${CFLAGS}" EXLDFLAGS="${LDFLAGS}" BUILD_STATIC_LIB=0 ETCDIR="${EPREFIX}/etc" \
		PREFIX="${EPREFIX}/usr" LIBDIR="${EPREFIX}/usr/$(get_libdir)" "$@"
}

src_compile() {
	_make
}

src_install() {
	_make DESTDIR="${D}" install
	# Perl's: the drivers are found without them
	rm -r "${ED}"/usr/sbin/{fancontrol,pwmconfig,sensors-detect} "${ED}"/usr/bin/sensors-conf-convert \
		"${ED}"/usr/man || die
}
