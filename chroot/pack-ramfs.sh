#!/bin/bash
# Packs the ramfs. Runs in the chroot: pack-ramfs.sh COMPRESSOR EPOCH. Reads /mnt/early (init, busybox),
# /mnt/firmware (files for /lib/firmware) and /mnt/system (squashfs), appends to /mnt/out/ramfs, which holds the CPU
# microcode.
set -euo pipefail

compressor=$1
epoch=$2

# pack FOLDER: a cpio of it on stdout, the same bytes for the same files
pack() {
	find "$1" -exec touch --no-dereference --date="@$epoch" {} +
	(cd "$1" && find . -mindepth 1 -print0 | LC_ALL=C sort -z |
		cpio --null --create --format=newc --reproducible --owner=+0:+0 --quiet)
}

# The preliminary init and all it runs: one static program under the names of its applets.
early=/tmp/early
mkdir -p "$early"/{bin,dev,etc,lib,mnt,new,proc,root,run,sys,tmp,var}
install -m 0755 /mnt/early/init "$early/init"
mkdir "$early/lib/alchemy"
cp -r /mnt/early/early/. "$early/lib/alchemy"
chmod 0755 "$early/lib/alchemy/udhcpc"
install -m 0755 /mnt/early/busybox "$early/bin/busybox"
# one process makes the 250 links: a process for each takes half a second
(cd "$early/bin" && ./busybox --list | grep -vx busybox | perl -nle 'symlink "busybox", $_ or die "$_: $!\n"')
# without it the kernel has nowhere to put what init says before it mounts /dev
mknod -m 0600 "$early/dev/console" c 5 1
# and without a console init reads and writes nothing
mknod -m 0666 "$early/dev/null" c 1 3
# no clock may be earlier
printf '%s\n' "$epoch" >"$early/lib/alchemy/epoch"
# a locked image has to be known as one before its system is mounted
locked=etc/alchemy/locked
if unsquashfs -no-progress -ls /mnt/system/identity.squashfs "$locked" | grep -q "/$locked\$"; then
	touch "$early/lib/alchemy/locked"
fi

# It is compressed while the others are copied. A group ends with the status of its pipeline (pipefail).
# shellcheck disable=SC2086 # a program and its options: word splitting is meant
{ pack "$early" | $compressor >/tmp/early.packed; } &

firmware=/tmp/firmware
mkdir -p "$firmware/lib/firmware"
cp -r --no-dereference /mnt/firmware/. "$firmware/lib/firmware"
chmod -R u=rwX,go=rX "$firmware"

system=/tmp/system
mkdir "$system"
install -m 0644 /mnt/system/*.squashfs "$system"

wait $!
cat /tmp/early.packed >>/mnt/out/ramfs
# an archive begins at a multiple of four; these two hold what is compressed already
truncate --size=%4 /mnt/out/ramfs
pack "$firmware" >>/mnt/out/ramfs
truncate --size=%4 /mnt/out/ramfs
pack "$system" >>/mnt/out/ramfs
