# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit unpacker

DESCRIPTION="Firmware that the kernel's drivers load into devices of server hardware"
HOMEPAGE="https://git.kernel.org/pub/scm/linux/kernel/git/firmware/linux-firmware.git"
# Upstream's tarball is half a gigabyte, of which a server has use for a twentieth. Debian splits it by vendor.
SRC_URI="
	mirror://debian/pool/non-free-firmware/f/firmware-nonfree/firmware-bnx2_${PV}-2_all.deb
	mirror://debian/pool/non-free-firmware/f/firmware-nonfree/firmware-bnx2x_${PV}-2_all.deb
	mirror://debian/pool/non-free-firmware/f/firmware-nonfree/firmware-cavium_${PV}-2_all.deb
	mirror://debian/pool/non-free-firmware/f/firmware-nonfree/firmware-intel-misc_${PV}-2_all.deb
	mirror://debian/pool/non-free-firmware/f/firmware-nonfree/firmware-misc-nonfree_${PV}-2_all.deb
	mirror://debian/pool/non-free-firmware/f/firmware-nonfree/firmware-netronome_${PV}-2_all.deb
	mirror://debian/pool/non-free-firmware/f/firmware-nonfree/firmware-netxen_${PV}-2_all.deb
	mirror://debian/pool/non-free-firmware/f/firmware-nonfree/firmware-qlogic_${PV}-2_all.deb
	mirror://debian/pool/non-free-firmware/f/firmware-nonfree/firmware-realtek_${PV}-2_all.deb
	mirror://debian/pool/non-free-firmware/a/amd64-microcode/amd64-microcode_3.20250311.1_amd64.deb
"
S="${WORKDIR}"

LICENSE="linux-fw-redistributable"
SLOT="0"
KEYWORDS="amd64"
RESTRICT="strip"

QA_PREBUILT="*"

src_prepare() {
	default
	# radio, sound and pictures
	cd usr/lib/firmware && rm -r nxp rtl_bt rtlwifi rtw8* ti TAS2* || die
	# no driver of the image has a use for what comes with AMD's microcode
	rm -r amd amdtee || die
}

# The kernel unpacks what it loads (its decoder of xz knows no check but CRC32), but for the microcode of CPUs.
src_compile() {
	cd usr/lib/firmware || die
	find . -type f ! -path "./amd-ucode/*" -print0 |
		xargs -0 -n 16 -P "$(nproc)" xz --check=crc32 --lzma2=dict=2MiB || die
	local link
	find . -type l | while read -r link; do
		ln -s "$(readlink "${link}").xz" "${link}.xz" && rm "${link}" || die
	done
}

src_install() {
	insinto /usr/lib
	doins -r usr/lib/firmware
}
