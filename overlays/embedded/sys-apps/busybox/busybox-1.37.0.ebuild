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
		EXTRA_LDFLAGS="${LDFLAGS}" "$@"
}

src_configure() {
	_make defconfig
	{
		cat "${FILESDIR}"/config
		use static && echo CONFIG_STATIC=y
	} >"${T}"/config || die

	# of two values for one option kconfig takes the latter; it asks about those that only now come into view
	cat "${T}"/config >>.config || die
	yes "" | _make oldconfig >"${T}"/oldconfig.log

	local line
	while read -r line; do
		[[ ${line} == "# CONFIG"* ]] && line=${line//[# ]/} line=${line%isnotset}=
		[[ ${line} == CONFIG_*= ]] && { grep -q "^${line}" .config && die "${line} is still set"; }
		[[ ${line} == CONFIG_*=[y0-9]* ]] && { grep -qx "${line}" .config || die "${line} is not in effect"; }
	done <"${T}"/config
}

src_compile() {
	_make busybox
	./busybox --list >applets || die
}

src_install() {
	dobin busybox
	insinto /usr/share/busybox
	doins applets
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
