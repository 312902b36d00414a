#!/bin/sh
# Turns the image tree, which only holds packages, into Alchemy Linux. Runs inside the image, with its programs; what
# it is given is in /mnt: chroot/ (this folder) and identity/ (files made of config.yml, each described in adminuser
# and below).
set -eu

# shellcheck source=chroot/methods
. /mnt/chroot/methods
# shellcheck source=chroot/adminuser
. /mnt/chroot/adminuser

identity=/mnt/identity

# The names by which programs and people ask what this is: lsb_release(1), os-release(5), issue(5).
name_release() {
	version=$(cat "$identity/version")
	cat >/etc/lsb-release <<-EOT
		DISTRIB_ID="Alchemy Linux"
		DISTRIB_RELEASE="$version"
		DISTRIB_DESCRIPTION="Alchemy Linux $version"
	EOT
	rm -f /etc/os-release
	cat >/etc/os-release <<-EOT
		NAME="Alchemy Linux"
		ID=alchemy
		VERSION_ID="$version"
		PRETTY_NAME="Alchemy Linux $version"
	EOT
	printf 'Alchemy Linux %s \\n \\l\n\n' "$version" >/etc/issue
	sed -i "s/@VERSION@/$version/" /etc/motd /etc/lldpd.d/alchemy.conf
}

# Exactly these services, whatever the packages brought along.
set_runlevels() {
	rm -rf /etc/runlevels
	add_services sysinit kernfs
	add_services boot hostname loopback sysctl
	if command -v systemd-tmpfiles >/dev/null; then add_services boot tmpfiles; fi
	add_services default syslogd klogd network sshd lldpd ntpd rasdaemon retry jobs getty
	mkdir -p /etc/runlevels/nonetwork /etc/runlevels/shutdown
}

# sshd asks for passwords only where one was configured.
set_sshd() {
	if [ -s "$identity/shadow" ]; then passwords=yes; else passwords=no; fi
	sed -i "s/@PASSWORDS@/$passwords/" /etc/ssh/sshd_config
}

# The keys of which one must have signed what command_url runs: the preliminary init looks for them here.
add_command_keys() {
	[ -s "$identity/command_keys" ] || return 0
	mkdir -p /etc/alchemy
	install -m 0644 "$identity/command_keys" /etc/alchemy/command_keys
}

# What the preliminary init refuses to be told on the command line of a locked image, it finds out by this file.
lock() {
	[ -s "$identity/locked" ] || return 0
	mkdir -p /etc/alchemy
	: >/etc/alchemy/locked
}

# The programs that turn a machine into a verdict. They are compiled here, so that no node does it at each start; a
# source's digest in place of its time gives the same bytes in each build.
add_node_programs() {
	mkdir -p /usr/lib/alchemy
	cp -R /mnt/chroot/node/alchemy_node /usr/lib/alchemy
	find /usr/lib/alchemy -name __pycache__ -prune -exec rm -r {} +
	# git keeps no more of the mode than the executable bit
	chmod -R u=rwX,go=rX /usr/lib/alchemy
	python3 -I -m compileall -q --invalidation-mode unchecked-hash /usr/lib/alchemy
	install -m 0755 /mnt/chroot/node/bin/* /usr/bin
}

main() {
	require busybox sys-apps/busybox
	require openrc-run sys-apps/openrc
	require python3 dev-lang/python
	name_release
	set_runlevels
	set_sshd
	add_admin "$identity"
	add_command_keys
	lock
	add_node_programs
	ldconfig
	# what it remembers for its next run are inode numbers, other ones in each build
	rm -rf /var/cache/ldconfig
}

main
