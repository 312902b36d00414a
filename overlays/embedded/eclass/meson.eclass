# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

# @ECLASS: meson.eclass
# @BLURB: phases for packages that build with Meson (a subset of Gentoo's eclass of that name)
# @SUPPORTED_EAPIS: 8
# @DESCRIPTION:
# An ebuild sets the array emesonargs, globally or in its src_configure before it calls meson_src_configure.

case ${EAPI} in
	8) ;;
	*) die "${ECLASS}: EAPI ${EAPI:-0} not supported" ;;
esac

if [[ -z ${_MESON_ECLASS} ]]; then
_MESON_ECLASS=1

inherit edo toolchain-funcs

BUILD_DIR=${BUILD_DIR:-${WORKDIR}/${P}-build}

# @FUNCTION: meson_use
# @USAGE: <USE flag> [option]
meson_use() {
	usex "$1" "-D${2-$1}=true" "-D${2-$1}=false"
}

# @FUNCTION: meson_feature
# @USAGE: <USE flag> [option]
meson_feature() {
	usex "$1" "-D${2-$1}=enabled" "-D${2-$1}=disabled"
}

meson_src_configure() {
	tc-export AR CC CXX NM OBJCOPY PKG_CONFIG RANLIB STRIP
	BUILD_DIR=${BUILD_DIR:-${WORKDIR}/${P}-build}

	# an array may come from the ebuild's global scope or from the caller's local one
	local args=()
	[[ -v emesonargs[@] ]] && args=( "${emesonargs[@]}" )

	edo meson setup \
		--buildtype plain \
		--prefix "${EPREFIX}/usr" \
		--libdir "$(get_libdir)" \
		--sysconfdir "${EPREFIX}/etc" \
		--localstatedir "${EPREFIX}/var/lib" \
		--wrap-mode nodownload \
		-Db_pch=false \
		-Dauto_features=disabled \
		-Dwerror=false \
		"${args[@]}" "$@" \
		"${EMESON_SOURCE:-${S}}" "${BUILD_DIR}"
}

meson_src_compile() {
	edo meson compile -C "${BUILD_DIR}" -j "$(_meson_jobs)" --verbose "$@"
}

meson_src_test() {
	edo meson test -C "${BUILD_DIR}" --print-errorlogs "$@"
}

meson_src_install() {
	DESTDIR="${D}" edo meson install -C "${BUILD_DIR}" --no-rebuild "$@"
	einstalldocs
}

# @FUNCTION: _meson_jobs
# @INTERNAL
# The number of jobs of MAKEOPTS, or the number of processors
_meson_jobs() {
	local jobs= option=' (-j|--jobs[= ]) *([0-9]+)'
	[[ " ${MAKEOPTS}" =~ ${option} ]] && jobs=${BASH_REMATCH[2]}
	echo "${jobs:-$(nproc)}"
}

fi

EXPORT_FUNCTIONS src_configure src_compile src_test src_install
