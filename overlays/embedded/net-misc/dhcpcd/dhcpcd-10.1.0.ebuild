# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="DHCP and DHCPv6 client"
HOMEPAGE="https://roy.marples.name/projects/dhcpcd/"
SRC_URI="
	https://github.com/NetworkConfiguration/dhcpcd/archive/refs/tags/v${PV}.tar.gz -> ${P}.gh.tar.gz
	mirror://debian/pool/main/d/dhcpcd/dhcpcd_${PV}.orig.tar.gz -> ${P}.gh.tar.gz
	mirror://debian/pool/main/d/dhcpcd/dhcpcd_${PV}-11+deb13u4.debian.tar.xz
"

LICENSE="BSD-2 ISC MIT"
SLOT="0"
KEYWORDS="amd64"

src_prepare() {
	# Debian's fixes: CVE-2025-70102, CVE-2026-14258, CVE-2026-56113, CVE-2026-56114, CVE-2026-56116, CVE-2026-56117
	local name
	while read -r name; do
		# what it changes in dhcpcd.conf is Debian's taste
		[[ ${name} == \#* || ${name} == Debian_* ]] || eapply "${WORKDIR}/debian/patches/${name}"
	done <"${WORKDIR}/debian/patches/series"
	default
}

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
