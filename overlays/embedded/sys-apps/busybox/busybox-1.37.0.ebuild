# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="One program that has small versions of the usual Unix tools"
HOMEPAGE="https://www.busybox.net/"
SRC_URI="
	https://www.busybox.net/downloads/${P}.tar.bz2
	mirror://debian/pool/main/b/busybox/busybox_${PV}.orig.tar.bz2 -> ${P}.tar.bz2
"

LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"
IUSE="+static"

_make() {
	emake V=1 SKIP_STRIP=y CC="$(tc-getCC)" AR="$(tc-getAR)" HOSTCC="$(tc-getBUILD_CC)" \
		EXTRA_LDFLAGS="${LDFLAGS} -Wl,-z,noseparate-code" "$@"
}

src_configure() {
	{
		grep CONFIG_ "${FILESDIR}"/config || die
		use static && echo CONFIG_STATIC=y
	} >"${T}"/config

	_make defconfig
	local names=$(sed -nE 's/^(# )?(CONFIG_\w+).*/\2/p' "${T}"/config)
	sed -i -E "/^(# )?(${names//$'\n'/|})[ =]/d" .config || die
	cat "${T}"/config >>.config || die
	# the options that only now come into view get their defaults
	yes "" | _make oldconfig >"${T}"/oldconfig.log

	local lost=$(grep -vxFf .config "${T}"/config)
	[[ -z ${lost} ]] || die "not in effect: ${lost}"
}

src_compile() {
	_make busybox
	./busybox --list >"${T}"/applets || die
}

src_install() {
	dobin busybox
	insinto /usr/share/busybox
	doins "${T}"/applets
	exeinto /usr/share/udhcpc
	doexe "${FILESDIR}"/default{,6}.script
}

# An applet's link is made only where no tool has its name. No package owns the links, so a tool that is merged later
# takes the place of its link.
pkg_postinst() {
	[[ -n ${ROOT} ]] || return 0

	local applet
	while read -r applet; do
		[[ -e ${EROOT}/usr/bin/${applet} || -L ${EROOT}/usr/bin/${applet} ]] ||
			ln -s busybox "${EROOT}/usr/bin/${applet}" || die
	done <"${EROOT}"/usr/share/busybox/applets
}
