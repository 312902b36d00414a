# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Shells and commands that know a BMC's sensors, event log and events"
HOMEPAGE="https://openipmi.sourceforge.io/"
SRC_URI="mirror://debian/pool/main/o/openipmi/openipmi_${PV}.orig.tar.gz -> ${P}-debian.tar.gz"
S="${WORKDIR}/OpenIPMI-${PV}"

LICENSE="LGPL-2.1+ GPL-2+ BSD"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	dev-libs/openssl:=
	dev-libs/popt
	sys-libs/ncurses
	sys-libs/readline:=
"
RDEPEND="${DEPEND}"

src_configure() {
	# it looks for libtinfo's functions in libncurses
	local -x LIBS=-ltinfo

	econf --disable-static --with-openssl=yes --with-{glib,netsnmp,perl,python,swig,tcl,tkinter,ucdsnmp}=no
}

src_install() {
	default
	# BMCs that are programs, for who develops with them
	rm -r "${ED}"/etc/ipmi "${ED}"/usr/bin/{ipmi_sim,ipmilan,sdrcomp} "${ED}/usr/$(get_libdir)"/libIPMIlanserv.so* || die
	find "${ED}" -name '*.la' -delete || die
}
