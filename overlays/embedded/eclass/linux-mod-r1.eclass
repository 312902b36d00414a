# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

# @ECLASS: linux-mod-r1.eclass
# @BLURB: builds modules against the kernel of the image (a subset of Gentoo's eclass of that name)
# @SUPPORTED_EAPIS: 8
# @DESCRIPTION:
# An ebuild sets modlist, and modargs for what its Makefile wants to know of the kernel:
#
#     src_compile() {
#         local modlist=( name=extra:source:build:all )
#         local modargs=( KDIR="${KV_OUT_DIR}" )
#         linux-mod-r1_src_compile
#     }
#
# The fields of an entry are the folder below /lib/modules/RELEASE (default: extra), the folder of the sources (S), that
# in which make runs (the one of the sources), and the target (make's own default).

case ${EAPI} in
	8) ;;
	*) die "${ECLASS}: EAPI ${EAPI:-0} not supported" ;;
esac

if [[ -z ${_LINUX_MOD_R1_ECLASS} ]]; then
_LINUX_MOD_R1_ECLASS=1

inherit edo toolchain-funcs

# what was compiled, each as `FOLDER:FILE`
_MODULES=()

# @FUNCTION: linux-mod-r1_pkg_setup
# @DESCRIPTION:
# Finds the kernel in KERNEL_DIR. Sets KV_DIR and KV_OUT_DIR to its folder, KV_FULL to its release, and
# MODULES_MAKEARGS to the arguments that any make of a module gets.
linux-mod-r1_pkg_setup() {
	[[ ${MERGE_TYPE} == binary ]] && return
	[[ -n ${KERNEL_DIR} && -f ${KERNEL_DIR}/Module.symvers ]] ||
		die "no kernel to build modules for (set kernel_modules: true in config.yml)"
	KV_DIR=${KERNEL_DIR}
	KV_OUT_DIR=${KERNEL_DIR}
	KV_FULL=$(<"${KV_OUT_DIR}/include/config/kernel.release") || die
	MODULES_MAKEARGS=( V=1 CC="$(tc-getCC)" LD="$(tc-getLD)" )
}

# @FUNCTION: linux-mod-r1_src_compile
# @DESCRIPTION:
# Compiles the modules of modlist.
linux-mod-r1_src_compile() {
	[[ ${#modlist[@]} -gt 0 ]] || die "${FUNCNAME}: modlist is empty"
	local entry name folder source build target
	for entry in "${modlist[@]}"; do
		name=${entry%%=*}
		[[ ${entry} == *=* ]] || entry+="="
		IFS=: read -r folder source build target <<<"${entry#*=}"
		source=${source:-${S}}
		[[ ${source} == /* ]] || source=${S}/${source}
		build=${build:-${source}}
		[[ ${build} == /* ]] || build=${S}/${build}
		# what the kernel was compiled with counts, and not the flags of programs; ARCH means something else to Kbuild
		edo env -u ARCH -u CFLAGS -u CXXFLAGS -u LDFLAGS make ${MAKEOPTS} "${MODULES_MAKEARGS[@]}" "${modargs[@]}" \
			-C "${build}" ${target}
		[[ -f ${source}/${name}.ko ]] || die "${FUNCNAME}: make built no ${source}/${name}.ko"
		_MODULES+=( "${folder:-extra}:${source}/${name}.ko" )
	done
}

# @FUNCTION: linux-mod-r1_src_install
# @DESCRIPTION:
# Installs the modules that were compiled, without debugging information.
linux-mod-r1_src_install() {
	local entry
	for entry in "${_MODULES[@]}"; do
		edo $(tc-getSTRIP) --strip-debug "${entry#*:}"
		insinto "/lib/modules/${KV_FULL}/${entry%%:*}"
		doins "${entry#*:}"
	done
	# stripped of its symbols a module cannot be linked into the kernel
	dostrip -x /lib/modules
}

EXPORT_FUNCTIONS pkg_setup src_compile src_install

fi
