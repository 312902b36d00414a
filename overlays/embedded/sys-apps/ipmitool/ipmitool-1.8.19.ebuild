# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo

DESCRIPTION="Talks IPMI to a BMC, the machine's own or one on the network"
HOMEPAGE="https://codeberg.org/IPMITool/ipmitool"
SRC_URI="
	https://github.com/ipmitool/ipmitool/archive/refs/tags/${PN^^}_${PV//./_}.tar.gz -> ${P}.gh.tar.gz
	mirror://debian/pool/main/i/ipmitool/ipmitool_${PV}.orig.tar.gz -> ${P}.gh.tar.gz
"
S="${WORKDIR}/${PN}-${PN^^}_${PV//./_}"

LICENSE="BSD"
SLOT="0"
KEYWORDS="amd64"

DEPEND="dev-libs/openssl:="
RDEPEND="${DEPEND}"

src_prepare() {
	default
	edo autoreconf -fi
}

src_configure() {
	# its DCMI code breaks the rules of aliasing
	local -x CFLAGS="${CFLAGS} -fno-strict-aliasing"

	econf --disable-ipmishell --enable-intf-lan --enable-intf-lanplus --enable-intf-open --enable-intf-serial \
		--disable-intf-bmc --disable-intf-dbus --disable-intf-dummy --disable-intf-free --disable-intf-imb \
		--disable-intf-lipmi --disable-intf-usb
}

src_install() {
	emake DESTDIR="${D}" DOWNLOAD=true install
	rm -r "${ED}"/usr/share/{doc,ipmitool} "${ED}"/usr/sbin || die
	# the registry of vendors, which it wants to download: the whole one has megabytes
	insinto /usr/share/misc
	doins "${FILESDIR}"/enterprise-numbers
}
