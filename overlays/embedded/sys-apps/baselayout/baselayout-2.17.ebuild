# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="The folders, links and first files of /etc that a root filesystem begins with"
HOMEPAGE="https://wiki.gentoo.org/wiki/Project:Base_Layout"
S="${WORKDIR}"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"

# Nothing but the templates is owned by the package: a build root keeps its own folders, links and accounts.
src_install() {
	newenvd - 50baselayout <<-EOF
		LDPATH="/usr/$(get_libdir)"
		PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/opt/bin"
	EOF

	insinto /usr/share/baselayout
	doins "${FILESDIR}"/{fstab,group,hosts,ld.so.conf,nsswitch.conf,passwd,profile,protocols,services,shells}
	insopts -m 0600
	doins "${FILESDIR}"/shadow
}

_link() {
	local target=$1 path=${EROOT}/$2
	[[ -e ${path} || -L ${path} ]] || ln -s "${target}" "${path}" || die
}

_folder() {
	local mode=$1 path
	for path in "${@:2}"; do
		path=${EROOT}/${path}
		[[ -e ${path} || -L ${path} ]] || { mkdir -p "${path}" && chmod "${mode}" "${path}"; } || die
	done
}

# The links have to be there before a file of any package is.
pkg_preinst() {
	local libdir=$(get_libdir)
	_folder 0755 usr usr/bin usr/lib "usr/${libdir}" var run

	_link usr/bin bin
	_link usr/bin sbin
	_link bin usr/sbin
	_link usr/lib lib
	_link "usr/${libdir}" "${libdir}"
	# Debian's loader, where the C library comes from Debian, searches this folder
	_link "../${libdir}" usr/lib/x86_64-linux-gnu
	_link ../run var/run
	_link ../run/lock var/lock
}

pkg_postinst() {
	_folder 0755 boot dev etc etc/profile.d home mnt opt proc sys usr/local usr/local/bin usr/share \
		var/cache var/empty var/lib var/log var/spool
	_folder 0700 root
	_folder 1777 tmp var/tmp
	_link bin usr/local/sbin

	local template
	for template in "${EROOT}"/usr/share/baselayout/*; do
		[[ -e ${EROOT}/etc/${template##*/} ]] || cp -p "${template}" "${EROOT}/etc/" || die
	done
}
