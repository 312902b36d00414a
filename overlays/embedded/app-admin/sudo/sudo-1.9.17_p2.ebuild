# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

MY_P="${P/_/}"
DESCRIPTION="Runs a command as another user"
HOMEPAGE="https://www.sudo.ws/"
SRC_URI="
	https://www.sudo.ws/dist/${MY_P}.tar.gz
	mirror://debian/pool/main/s/sudo/sudo_${PV/_/}.orig.tar.gz -> ${MY_P}.tar.gz
"
S="${WORKDIR}/${MY_P}"

LICENSE="ISC BSD"
SLOT="0"
KEYWORDS="amd64"

DEPEND="sys-libs/libxcrypt"
RDEPEND="${DEPEND}"

src_configure() {
	tc-export AR CC PKG_CONFIG RANLIB
	local args=(
		--disable-static --disable-nls --disable-rpath --disable-leaks
		--enable-static-sudoers --disable-shared-libutil
		--disable-intercept --with-noexec=no
		--disable-log-client --disable-log-server --disable-python
		--disable-gcrypt --disable-openssl --disable-wolfssl --disable-zlib
		--disable-adminconf --enable-tmpfiles.d=no
		--without-apparmor --without-ldap --without-linux-audit --without-pam --without-selinux --without-sssd
		--without-lecture --without-sendmail --with-nsswitch=no
		--with-env-editor --with-editor="${EPREFIX}/usr/bin/vi"
		--with-rundir="${EPREFIX}/run/sudo" --with-vardir="${EPREFIX}/var/lib/sudo"
		--with-secure-path --with-secure-path-value=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/opt/bin
	)
	econf "${args[@]}"
}

src_install() {
	emake DESTDIR="${D}" install_uid="$(id -u)" install_gid="$(id -g)" install
	rm -r "${ED}"/{run,usr/share,usr/include} "${ED}"/usr/bin/{cvtsudoers,sudoreplay} || die
	# plugins for I/O logs and group files
	rm -r "${ED}"/usr/libexec || die
	rm "${ED}"/etc/sudo.conf "${ED}"/etc/sudoers.dist || die

	insinto /etc
	insopts -m 0440
	doins "${FILESDIR}"/sudoers
	keepdir /etc/sudoers.d
	fperms 0750 /etc/sudoers.d
}
