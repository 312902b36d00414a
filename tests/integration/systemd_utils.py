"""What a main repository of Gentoo has for tmpfiles.d and udev, as stand-ins: the paths are those of the real packages,
the programs are our own."""

from __future__ import annotations

from collections.abc import Mapping

# the library of the programs, beside no other: they find it by their RUNPATH
SHARED = "usr/lib64/systemd/libsystemd-shared-260.so"

# left out of every image: the folder of systemd's own units
MASKED = "usr/lib/systemd"

RULES = "usr/lib/udev/rules.d/50-udev-default.rules"
RULE = 'SUBSYSTEM=="tty", GROUP="tty"'

# what tmpfiles_process says of a root that does not run
NOT_APPLIED = "tmpfiles.d is not applied to a root that does not run"

_HEAD = """\
EAPI=8
DESCRIPTION="A stand-in of the tests"
HOMEPAGE="https://example.org"
S="${WORKDIR}"
LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"
"""

# The real virtual has a second choice, too, which this repository lacks.
_VIRTUAL = f"""\
{_HEAD}\
RDEPEND="|| ( sys-apps/systemd-utils[tmpfiles] sys-apps/seedfiles )"
"""

_ECLASS = f"""\
RDEPEND="virtual/tmpfiles"

newtmpfiles() {{
	[[ $2 == *.conf ]] || die "$2: systemd-tmpfiles reads no such file"
	( insinto /usr/lib/tmpfiles.d && newins "$@" )
}}

tmpfiles_process() {{
	[[ ${{EBUILD_PHASE}} == postinst ]] || die "nothing is installed yet"
	if [[ -n ${{ROOT}} ]]; then
		ewarn "{NOT_APPLIED}"
	else
		systemd-tmpfiles --create "$@" || ewarn "systemd-tmpfiles has failed"
	fi
}}
"""

_UTILS = f"""\
{_HEAD}\
IUSE="split-usr +tmpfiles +udev"
REQUIRED_USE="|| ( tmpfiles udev )"
PDEPEND="udev? ( sys-fs/udev-init-scripts )"

src_compile() {{
	local program library=${{T}}/{SHARED.rpartition("/")[2]} build=( "${{CHOST}}-gcc" ${{CFLAGS}} ${{LDFLAGS}} )
	"${{build[@]}}" -shared -fPIC -Wl,-soname,${{library##*/}} -o "${{library}}" "${{FILESDIR}}"/shared.c || die
	for program in $(usev tmpfiles systemd-tmpfiles) $(usev udev udevadm); do
		"${{build[@]}}" -Wl,-rpath,/usr/$(get_libdir)/systemd -o ${{program}} "${{FILESDIR}}"/${{program}}.c \\
			"${{library}}" || die
	done
}}

src_install() {{
	exeinto /usr/$(get_libdir)/systemd
	doexe "${{T}}"/*.so
	if use tmpfiles; then
		dobin systemd-tmpfiles
		insinto /usr/lib/tmpfiles.d
		newins - legacy.conf <<<"d /run/lock"
		doinitd "${{FILESDIR}}"/systemd-tmpfiles-setup{{,-dev}}
	fi
	if use udev; then
		dobin udevadm
		dosym ../../bin/udevadm /{MASKED}/systemd-udevd
		insinto /{RULES.rpartition("/")[0]}
		newins - {RULES.rpartition("/")[2]} <<<'{RULE}'
	fi
}}

_start() {{
	mkdir -p "${{EROOT}}/etc/runlevels/$2" || die
	ln -snf "/etc/init.d/$1" "${{EROOT}}/etc/runlevels/$2/$1" || die
}}

pkg_postinst() {{
	use tmpfiles || return 0
	_start systemd-tmpfiles-setup-dev sysinit
	_start systemd-tmpfiles-setup boot
}}
"""

_UDEV_INIT_SCRIPTS = f"""\
{_HEAD}\
src_install() {{
	newinitd - udev <<<$'#!/sbin/openrc-run\\ncommand=/{MASKED}/systemd-udevd'
}}

pkg_postinst() {{
	mkdir -p "${{EROOT}}"/etc/runlevels/sysinit || die
	ln -snf /etc/init.d/udev "${{EROOT}}"/etc/runlevels/sysinit/udev || die
}}
"""

_SETUP = """\
#!/sbin/openrc-run

depend() {
	provide tmpfiles-setup
	need localmount
}

start() {
	systemd-tmpfiles --create --remove --boot --exclude-prefix=/dev
}
"""

_SETUP_DEV = """\
#!/sbin/openrc-run

start() {
	systemd-tmpfiles --create --boot --prefix=/dev
}
"""

_SHARED_C = """\
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

const char *release(void) { return "260"; }

/* Does what a line of tmpfiles.d(5) says, where that is to make a folder: d PATH [MODE USER GROUP] */
int obey(const char *line) {
	char kind[8], path[256], mode[8], user[64], group[64];
	int fields = sscanf(line, "%7s %255s %7s %63s %63s", kind, path, mode, user, group);
	if (fields < 2 || kind[0] != 'd')
		return 0;
	mkdir(path, 0755);
	if (fields < 5)
		return 0;
	struct passwd *owner = getpwnam(user);
	struct group *of = getgrnam(group);
	return !owner || !of || chown(path, owner->pw_uid, of->gr_gid) || chmod(path, strtol(mode, NULL, 8));
}
"""

_TMPFILES_C = """\
#include <glob.h>
#include <stdio.h>
#include <string.h>

int obey(const char *line);

/* systemd-tmpfiles [OPTION...] [NAME...]: the files NAME of the folder, or all; the options change nothing */
int main(int count, char **words) {
	int failed = 0, named = 0;
	char line[512], pattern[256];
	glob_t found = { 0 };
	for (int word = 1; word < count; word++)
		if (strncmp(words[word], "--", 2)) {
			snprintf(pattern, sizeof pattern, "/usr/lib/tmpfiles.d/%s", words[word]);
			glob(pattern, named++ ? GLOB_APPEND : 0, NULL, &found);
		}
	if (!named)
		glob("/usr/lib/tmpfiles.d/*.conf", 0, NULL, &found);
	for (size_t file = 0; file < found.gl_pathc; file++) {
		FILE *lines = fopen(found.gl_pathv[file], "r");
		while (lines && fgets(line, sizeof line, lines))
			failed |= obey(line);
		if (lines)
			fclose(lines);
	}
	return failed || !found.gl_pathc;
}
"""

_UDEVADM_C = """\
#include <stdio.h>

const char *release(void);

int main(void) { return puts(release()) < 0; }
"""

_PACKAGE = "sys-apps/systemd-utils"

FILES: Mapping[str, str] = {
    "eclass/tmpfiles.eclass": _ECLASS,
    "virtual/tmpfiles/tmpfiles-0.ebuild": _VIRTUAL,
    "sys-fs/udev-init-scripts/udev-init-scripts-35.ebuild": _UDEV_INIT_SCRIPTS,
    f"{_PACKAGE}/systemd-utils-260.ebuild": _UTILS,
    f"{_PACKAGE}/files/shared.c": _SHARED_C,
    f"{_PACKAGE}/files/systemd-tmpfiles.c": _TMPFILES_C,
    f"{_PACKAGE}/files/udevadm.c": _UDEVADM_C,
    f"{_PACKAGE}/files/systemd-tmpfiles-setup": _SETUP,
    f"{_PACKAGE}/files/systemd-tmpfiles-setup-dev": _SETUP_DEV,
}
