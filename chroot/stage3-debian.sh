#!/bin/sh
# Turns a fresh Debian root into a stage3: Gentoo's library layout, the tool names Portage calls, and Portage itself.
# A customize hook of mmdebstrap, so it runs outside the root, which is its first argument; the second is Portage's
# source tarball.
set -eu

# /usr/lib64 becomes the real library folder, as on Gentoo's amd64, and Debian's multiarch name a link to it. Ebuilds
# then replace Debian's libraries where the linker and the compiler look for them, and never beside them. This has to
# be done from outside, as nothing that is linked dynamically runs while the loader moves.
merge_libdirs() {
	root=$1
	multiarch=$root/usr/lib/x86_64-linux-gnu
	[ -L "$multiarch" ] && return
	rm "$root/usr/lib64/ld-linux-x86-64.so.2"
	rmdir "$root/usr/lib64"
	mv "$multiarch" "$root/usr/lib64"
	ln -s ../lib64 "$multiarch"
	# links that left the folder lost a level
	find "$root/usr/lib64" -type l -lname '../*' | while read -r link; do
		target=$(readlink "$link")
		[ -e "$link" ] || ln -snf "${target#../}" "$link"
	done
}

# Portage's helpers and Gentoo's ebuilds call GNU tools by a g-name and the toolchain by CHOST.
link_tools() {
	root=$1
	ln -snf python3 "$root/usr/bin/python"
	for tool in tar make sed find xargs grep awk install patch; do
		ln -snf "/usr/bin/$tool" "$root/usr/local/bin/g$tool"
	done
	for tool in "$root"/usr/bin/x86_64-linux-gnu-*; do
		name=${tool##*/x86_64-linux-gnu-}
		ln -snf "${tool##*/}" "$root/usr/bin/x86_64-pc-linux-gnu-$name"
	done
	ln -snf pkgconf "$root/usr/bin/x86_64-pc-linux-gnu-pkg-config"
}

install_portage() {
	root=$1 tarball=$2
	chroot "$root" groupadd --gid 250 portage
	chroot "$root" useradd --uid 250 --gid 250 --home-dir /var/lib/portage/home --shell /bin/false portage
	mkdir -p "$root/usr/src/portage"
	tar -xf "$tarball" -C "$root/usr/src/portage" --strip-components=1 --no-same-owner
	# Debian's Python carries no headers here, so the C extensions, which only save time, stay out
	chroot "$root" sh -c 'cd /usr/src/portage && meson setup build --prefix=/usr --sysconfdir=/etc \
		-Dsystem-wide=true -Dnative-extensions=false && meson install -C build' </dev/null
	rm -r "$root/usr/src/portage"
	# as Gentoo's stage3 does, it names its main repository and its profile, which come with the build
	cat >"$root/usr/share/portage/config/repos.conf" <<-EOF
		[DEFAULT]
		main-repo = embedded

		[embedded]
		location = /var/db/repos/embedded
		aliases = gentoo
	EOF
	mkdir -p "$root/etc/portage"
	ln -snf ../../var/db/repos/embedded/profiles/default "$root/etc/portage/make.profile"
	mkdir -p "$root/etc/env.d" "$root/var/db/repos" "$root/var/cache/distfiles" "$root/var/cache/binpkgs"
	printf 'LDPATH="/usr/lib64"\nPATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/opt/bin"\n' \
		>"$root/etc/env.d/50baselayout"
}

main() {
	merge_libdirs "$1"
	link_tools "$1"
	install_portage "$1" "$2"
	chroot "$1" ldconfig
	rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/var/log/*.log "$1"/var/log/apt
}

main "$@"
