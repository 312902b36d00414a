# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="SNMP: snmpget, snmpwalk and their like, and snmpd"
HOMEPAGE="https://www.net-snmp.org/"
SRC_URI="mirror://debian/pool/main/n/net-snmp/net-snmp_${PV}+dfsg.orig.tar.xz -> ${P}-debian.tar.xz"

LICENSE="MIT BSD"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	dev-libs/openssl:=
	sys-libs/ncurses:=
"
RDEPEND="${DEPEND}"

src_prepare() {
	default
	# what it links snmptop with
	sed -i 's/@LIBCURSES@/& -ltinfo/' apps/Makefile.in || die
}

src_configure() {
	tc-export PKG_CONFIG
	local args=(
		# its MIBs build on the IETF's, which are not free enough for Debian's archive: OIDs are numbers
		--disable-mibs --with-mibs=
		--disable-{embedded-perl,manuals,scripts,static} --enable-{blumenthal-aes,ipv6}
		--with-openssl --with-defaults --with-default-snmp-version=3
		--with-sys-contact=root@localhost --with-sys-location=unknown
		--with-logfile=none --with-persistent-directory="${EPREFIX}/var/lib/net-snmp"
		--without-{elf,nl,mysql,perl-modules,pcre,python-modules,rpm,systemd}
	)
	econf "${args[@]}"
}

src_compile() {
	# its Makefiles race with each other
	emake -j1
}

src_install() {
	emake -j1 INSTALL_PREFIX="${D}" install
	rm "${ED}/usr/$(get_libdir)"/*.la || die
	# its scripts are in Perl, or of use to who compiles against it
	local path
	for path in "${ED}"/usr/bin/*; do
		[[ $(head -c 2 "${path}") != "#!" ]] || rm "${path}" || die
	done
}
