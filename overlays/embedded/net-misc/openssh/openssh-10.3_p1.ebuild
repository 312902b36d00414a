# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

MY_P="${P/_p/p}"

DESCRIPTION="OpenSSH's server, client and tools"
HOMEPAGE="https://www.openssh.com/"
SRC_URI="
	https://cdn.openbsd.org/pub/OpenBSD/OpenSSH/portable/${MY_P}.tar.gz
	mirror://debian/pool/main/o/openssh/openssh_${PV/_p/p}.orig.tar.gz -> ${MY_P}.tar.gz
"
S="${WORKDIR}/${MY_P}"

LICENSE="BSD BSD-2 ISC MIT public-domain"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	dev-libs/openssl:=
	sys-libs/libxcrypt:=
"
RDEPEND="${DEPEND}"

src_configure() {
	local without=( audit kerberos5 ldns libedit pam selinux security-key-builtin wtmpdb zlib )

	econf "${without[@]/#/--without-}" --disable-pkcs11 --disable-strip \
		--sysconfdir="${EPREFIX}/etc/ssh" --libexecdir="${EPREFIX}/usr/$(get_libdir)/misc" \
		--with-openssl --with-pid-dir="${EPREFIX}/run" --with-sandbox=seccomp_filter \
		--with-privsep-path="${EPREFIX}/var/empty" --with-privsep-user=sshd
}

src_install() {
	emake DESTDIR="${D}" install-nokeys
	# helpers of security keys and smart cards, and of the authentication by host: not for this image
	rm "${ED}/usr/$(get_libdir)"/misc/ssh-{keysign,pkcs11-helper,sk-helper} || die
	keepdir /var/empty
}
