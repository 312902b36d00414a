# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="DHCP and DHCPv6 client"
HOMEPAGE="https://roy.marples.name/projects/dhcpcd/"
SRC_URI="
	https://github.com/NetworkConfiguration/dhcpcd/archive/refs/tags/v${PV}.tar.gz -> ${P}.gh.tar.gz
	mirror://debian/pool/main/d/dhcpcd/dhcpcd_${PV}.orig.tar.gz -> ${P}.gh.tar.gz
"

LICENSE="BSD-2 ISC MIT"
SLOT="0"
KEYWORDS="amd64"

PATCHES=( "${FILESDIR}/${P}-seccomp-glibc-2.41.patch" )

src_configure() {
	tc-export CC
	econf --sysconfdir="${EPREFIX}/etc" --libexecdir="${EPREFIX}/usr/$(get_libdir)/dhcpcd" \
		--rundir="${EPREFIX}/run/dhcpcd" --dbdir="${EPREFIX}/var/lib/dhcpcd" \
		--disable-auth --enable-privsep --privsepuser=dhcpcd --enable-seccomp --disable-static \
		--without-openssl --without-udev --with-hooks=ntp
}

src_install() {
	default
	rm -r "${ED}/usr/$(get_libdir)"/dhcpcd/dhcpcd-hooks/01-test "${ED}"/usr/share/dhcpcd || die
	keepdir /var/lib/dhcpcd
}
