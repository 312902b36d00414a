# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

# The stage3's own, as the C library is: Debian's build of it, and the libraries of Debian that it is linked with.
# Services are not in it; those of the image are in the repository's etc/init.d.
DESCRIPTION="The init, and the manager of services by their dependencies"
HOMEPAGE="https://github.com/OpenRC/openrc"
S="${WORKDIR}"

LICENSE="BSD BSD-2 GPL-2 LGPL-2.1"
SLOT="0"
KEYWORDS="amd64"
IUSE="+sysv-utils"

RDEPEND="sys-libs/libcap"

QA_PREBUILT="*"

_files() {
	dpkg-query --listfiles openrc librc1t64 libeinfo1 | grep -E '^/usr/(bin|sbin|lib)/|^/etc/rc.conf$' | sort -u
}

pkg_setup() {
	[[ ${MERGE_TYPE} == binary ]] && return

	local version=$(dpkg-query --showformat='${Version}' --show openrc)
	[[ ${version} == ${PV}-* ]] || die "the stage3 has openrc ${version:-not at all}, this is ${PV}"
}

src_install() {
	local file
	while read -r file; do
		[[ -d ${file} ]] && continue
		# Debian's multiarch folder is a link to the real one
		dodir "$(dirname "${file/lib\/x86_64-linux-gnu/$(get_libdir)}")"
		cp -P --preserve=mode "${file}" "${ED}/${file/lib\/x86_64-linux-gnu/$(get_libdir)}" || die
	done < <(_files)

	local library real
	for library in libpam.so.0 libpam_misc.so.0 libaudit.so.1 libcap-ng.so.0 libselinux.so.1 libpcre2-8.so.0; do
		real=$(realpath "/usr/$(get_libdir)/${library}") || die
		dolib.so "${real}"
		[[ ${real##*/} == "${library}" ]] || dosym "${real##*/}" "/usr/$(get_libdir)/${library}"
	done

	# Debian's OpenRC looks there for the dependencies of sysvinit's scripts, of which the image has none
	insinto /etc
	newins - insserv.conf </dev/null
	keepdir /etc/{insserv.conf.d,init.d,conf.d,local.d} /etc/runlevels/{sysinit,boot,default,nonetwork,shutdown}

	if use sysv-utils; then
		dosym openrc-init /usr/sbin/init
		local name
		for name in halt poweroff reboot shutdown; do
			newsbin "${FILESDIR}/${name}" "${name}"
		done
	fi
}
