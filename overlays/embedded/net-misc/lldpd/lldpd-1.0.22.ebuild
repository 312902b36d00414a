# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="LLDP (802.1AB) daemon, and lldpcli to ask it about a machine's neighbours"
HOMEPAGE="https://lldpd.github.io/"
SRC_URI="
	https://media.luffy.cx/files/lldpd/${P}.tar.gz
	mirror://debian/pool/main/l/lldpd/lldpd_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="ISC"
SLOT="0"
KEYWORDS="amd64"
IUSE="+xml"

DEPEND="
	dev-libs/libevent:=
	sys-libs/libcap
	sys-libs/libseccomp
	xml? ( dev-libs/libxml2:2= )
"
RDEPEND="${DEPEND}"

src_configure() {
	# without libbsd its configure forgets to look for pkg-config
	tc-export PKG_CONFIG
	econf --disable-static --disable-dtrace --disable-json0 --disable-doxygen-doc \
		--with-embedded-libevent=no --without-libbsd --without-readline --with-seccomp --without-snmp \
		$(use_with xml) --with-systemdsystemunitdir=no --with-sysusersdir=no --with-apparmordir=no \
		--with-privsep-user=lldpd --with-privsep-group=lldpd --with-privsep-chroot=/run/lldpd \
		--with-lldpd-ctl-socket=/run/lldpd.socket --with-lldpd-pid-file=/run/lldpd.pid
}

src_install() {
	default
	rm -r "${ED}/usr/$(get_libdir)"/*.la "${ED}"/usr/share/{bash-completion,zsh} "${ED}"/etc || die
}
