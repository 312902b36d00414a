# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit toolchain-funcs

DESCRIPTION="The run-time files of the GNU C library, as the build root's toolchain has them"
HOMEPAGE="https://www.gnu.org/software/libc/"
S="${WORKDIR}"

LICENSE="LGPL-2.1+ BSD ISC"
SLOT="2.2"
KEYWORDS="amd64"
RESTRICT="strip"

# not for its files: whatever links with a library is then merged after the folders and links that baselayout makes
RDEPEND="sys-apps/baselayout"

pkg_setup() {
	[[ ${MERGE_TYPE} == binary ]] && return

	local running=$(getconf GNU_LIBC_VERSION)
	[[ ${running} == "glibc ${PV}" ]] ||
		die "this takes the files of glibc ${PV} from the build root, which has ${running:-no glibc}"
}

src_install() {
	local lib path
	for lib in \
		ld-linux-x86-64.so.2 libc.so.6 libm.so.6 libmvec.so.1 libresolv.so.2 libthread_db.so.1 \
		libanl.so.1 libdl.so.2 libpthread.so.0 librt.so.1 libutil.so.1 \
		libnss_{compat,dns,files,hesiod}.so.2
	do
		path=$($(tc-getCC) -print-file-name="${lib}")
		[[ ${path} == /* ]] || die "the compiler finds no ${lib}"
		cp -L "${path}" "${T}/${lib}" || die
		dolib.so "${T}/${lib}"
	done

	# the one locale besides C: it is a folder of its own, not part of an archive
	insinto /usr/lib/locale
	doins -r /usr/lib/locale/C.utf8

	dobin "$(type -P getent)" "$(type -P ldd)"
	dosbin "$(PATH+=:/sbin:/usr/sbin type -P ldconfig)"
}
