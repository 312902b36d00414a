"""Two repositories with what Gentoo's packages have: a main one in Gentoo's layout, and an overlay `vendor` beside it.

Nearly all packages install text files, so that an image of them is built in a minute.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests import repository
from tests.integration import layout, systemd_utils
from tests.lib.gits import Repository

PROFILE = f"{layout.PROFILE}/node"

# for a stage3 whose /usr is not merged
SPLIT_USR = f"{layout.PROFILE}/split-usr"

# an init that the image does not have
SYSTEMD = f"{PROFILE}/systemd"

# as Funtoo combines profiles
PROFILES = [f"gentoo:{PROFILE}", "vendor:node"]

# what pkg_postinst says, and what the news item says
MESSAGE = "gold melts at 1064 degrees"

# what the program PROGRAM prints
PROGRAM = "furnace"
PRINTED = "gold melts at 1337 K"

# the same for a program of 32 bits, with a C library of 32 bits
COIN = "coin"
COIN_PRINTED = "gold of 32 bits"

# folders that a package wants to be there at boot, as tmpfiles.d(5) has them
TEMPORARY = "d /run/gold 0750 metal metal -\nd /var/lib/gold 0700 metal metal -"

# an atom of the packages that show something, which is added to an image
ADDED = "app-misc/ore"

# what boots and logs in: a stage3 of Gentoo's has these packages, and many more
STAGE3 = (
    "sys-apps/baselayout", "sys-libs/glibc", "sys-apps/openrc", "sys-apps/busybox", "sys-apps/util-linux",
    "app-shells/bash", "app-admin/sudo", "net-misc/openssh", "net-misc/dropbear", "sys-libs/zlib",
)  # fmt: skip

# the value of xattr(7) security.capability: version 2, effective, CAP_NET_RAW
_NET_RAW = "0100000200200000000000000000000000000000"

_DEFAULTS = {
    "EAPI": "8", "DESCRIPTION": "A package of the tests", "HOMEPAGE": "https://example.org", "LICENSE": "MIT",
    "SLOT": "0", "KEYWORDS": "amd64", "S": "${WORKDIR}",
}  # fmt: skip


def ebuild(more: str = "", **variables: str) -> str:
    """The text of an ebuild: variables beyond those that all have, and functions."""
    values = _DEFAULTS | variables
    return "".join(f'{name}="{value}"\n' for name, value in values.items()) + more


def installs(path: str, text: str = "gold") -> str:
    """A src_install that installs a file."""
    folder, _, name = path.rpartition("/")
    return f'src_install() {{\n\tinsinto {folder}\n\tnewins - {name} <<<"{text}"\n}}\n'


_ACCOUNT = """\
pkg_preinst() {
	[[ -e ${EROOT}/etc/passwd ]] || die "no /etc/passwd"
	COMMAND --prefix "${EROOT:-/}" --system ARGUMENTS || die
}
"""

# as linux-info.eclass does
_CHECK = """\
pkg_pretend() {
	[[ ! -s /proc/config.gz ]] || die "sees the kernel of the host"
	grep -qx CONFIG_64BIT=y "${KERNEL_DIR:-/usr/src/linux}/.config" || die "sees no kernel of the image"
	local version=$(make -s -C "${KERNEL_DIR}" -f - e <<<$'include Makefile\\ne:\\n\\t@echo $(VERSION).$(PATCHLEVEL)')
	[[ ${version} == 6.12 ]] || die "sees a kernel of version ${version}"
}
"""

_PATCH = """\
--- a/metal
+++ b/metal
@@ -1 +1 @@
-lead
+gold
"""

# a program of C++ needs the compiler's own libraries, and no package says so
_PROGRAM = f"""\
src_compile() {{
	"${{CHOST}}-g++" ${{CXXFLAGS}} ${{LDFLAGS}} -x c++ - -o {PROGRAM} <<-EOF || die
		#include <iostream>
		int main() {{ std::cout << "gold melts at " << 1064 + 273 << " K" << std::endl; }}
	EOF
}}

src_install() {{
	dobin {PROGRAM}
}}
"""

# A library and one that needs it, for both ABIs. They need no C library: that of 32 bits is not in the stage3.
_TWOFOLD = """\
_library() {
	"${CHOST}-gcc" -m$1 -shared -fPIC -nostdlib ${LDFLAGS} -Wl,-soname,$2 -x c - ${@:3} -o $1/$2 || die
}

src_compile() {
	local bits
	mkdir 32 64 || die
	for bits in $(usev abi_x86_32 32) 64; do
		_library ${bits} libgold.so.1 <<<'int gold(void) { return 1; }'
		_library ${bits} liballoy.so.1 -L${bits} -l:libgold.so.1 \
			<<<'int gold(void); int alloy(void) { return 1 + gold(); }'
	done
}

src_install() {
	dolib.so 64/*
	use abi_x86_32 && ABI=x86 dolib.so 32/*
}
"""

# a program of 32 bits, which needs the C library and a library of the compiler: the compiler has no start files for it
_COIN = f"""\
src_compile() {{
	"${{CHOST}}-gcc" -m32 -nostdlib -fPIE -pie ${{LDFLAGS}} -Wl,--no-as-needed -Wl,--dynamic-linker=/lib/ld-linux.so.2 \
		-x c - -x none /usr/lib32/libc.so.6 /{layout.COMPILER}/32/{layout.OF_32_BITS} -o {COIN} <<-EOF || die
		int puts(const char *);
		void exit(int);
		__attribute__((force_align_arg_pointer)) void _start(void) {{ puts("{COIN_PRINTED}"); exit(0); }}
	EOF
}}

src_install() {{
	dobin {COIN}
}}
"""

# The embedded tree's Python is in no stage3 that its package is installed in: there it leaves that of the stage3 alone.
# This one is that of the stage3, with the extension modules that need no library of their own.
_PYTHON = """\
_LIBRARY=/usr/lib/python3.13
_EXTENSIONS=( _hashlib _queue _ssl mmap resource termios )

src_install() {
	dobin /usr/bin/python3.13
	dosym python3.13 /usr/bin/python3
	newlib.so "$(realpath /usr/lib64/libexpat.so.1)" libexpat.so.1
	insinto ${_LIBRARY%/*}
	doins -r ${_LIBRARY}
	cd "${ED}${_LIBRARY}" || die
	# what develops and displays programs, what needs more libraries, and bytecode of files of another time
	rm -rf lib-dynload LICENSE.txt sitecustomize.py asyncio ctypes curses dbm pydoc_data sqlite3 test unittest venv \
		wsgiref xmlrpc || die
	find . -name __pycache__ -prune -exec rm -r {} + || die
	insinto ${_LIBRARY}/lib-dynload
	local extension
	for extension in "${_EXTENSIONS[@]}"; do
		doins ${_LIBRARY}/lib-dynload/${extension}.*
	done
	python3.13 -I -m compileall -q -s "${D}" -p / --invalidation-mode unchecked-hash "${ED}${_LIBRARY}" || die
}

pkg_preinst() {
	[[ -n ${ROOT} ]] || rm -r "${ED}"/usr || die
}
"""

# packages that build, by name and version: each shows something of real trees
GOOD: Mapping[str, str] = {
    "targets-1": ebuild(
        installs("/usr/share/real/targets", "$(usev python_targets_gold)"),
        IUSE="python_targets_gold python_targets_lead",
        REQUIRED_USE="^^ ( python_targets_gold python_targets_lead )",
    ),
    "borrowed-1": "EAPI=8\ninherit metal\n" + ebuild(installs("/usr/share/real/borrowed", "${METAL_OF_ECLASS}")),
    "patched-1": ebuild("src_unpack() { echo lead >metal; }\n" + installs("/usr/share/real/patched", "$(<metal)")),
    "environment-1": ebuild(installs("/usr/share/real/environment", "${METAL}")),
    "hooked-1": ebuild(),
    "masked-1": ebuild(installs("/usr/share/real/masked", "${PV}")),
    "masked-2": ebuild(installs("/usr/share/real/masked", "${PV}")),
    "provider-1": ebuild(installs("/usr/share/real/provider"), RDEPEND="app-misc/provided"),
    "account-1": ebuild(
        "pkg_setup() {\n\tgetent passwd metal >/dev/null || die\n}\n"
        + installs("/usr/share/real/account").replace("}\n", "\tfowners metal:metal /usr/share/real/account\n}\n"),
        DEPEND="acct-user/metal", RDEPEND="acct-user/metal",
    ),
    "protected-1": ebuild(
        'pkg_setup() {\n\techo edited >"${EROOT}/etc/protected.conf" || die\n}\n' + installs("/etc/protected.conf")
    ),
    "capable-1": ebuild(
        installs("/usr/bin/ping").replace("insinto", "exeinto").replace("newins", "newexe")
        + "pkg_postinst() {\n\tpython3 -c 'import os, sys; "
        f'os.setxattr(sys.argv[1], "security.capability", bytes.fromhex("{_NET_RAW}"))\' '
        '"${EROOT}/usr/bin/ping" || die\n}\n'
    ),
    "checking-1": ebuild(_CHECK + installs("/usr/share/real/checking")),
    "profiled-1": ebuild(installs("/usr/share/real/profiled", "${VENDOR_METAL}")),
    "restricted-1": ebuild(installs("/usr/share/real/restricted"), RESTRICT="mirror bindist strip test"),
    "temporary-1": "EAPI=8\ninherit tmpfiles\n" + ebuild(
        f"src_install() {{\n\tnewtmpfiles - temporary.conf <<<'{TEMPORARY}'\n}}\n"
        "pkg_postinst() {\n\ttmpfiles_process temporary.conf\n}\n",
        DEPEND="acct-user/metal", RDEPEND="acct-user/metal",
    ),
    "tuned-1": ebuild(installs("/usr/share/real/tuned", "$(usev gold)"), IUSE="gold"),
    "asked-9999": ebuild(installs("/usr/share/real/asked"), KEYWORDS="", PROPERTIES="live"),
    "agreed-1": ebuild(installs("/usr/share/real/agreed"), LICENSE="vendor-terms"),
    "twofold-1": ebuild(_TWOFOLD, IUSE="abi_x86_32 abi_x86_64"),
    "coin-1": ebuild(_COIN, DEPEND="sys-libs/i386-runtime", RDEPEND="sys-libs/i386-runtime"),
    "furnace-1": ebuild(_PROGRAM),
    "talker-1": ebuild(installs("/usr/share/real/talker") + f'pkg_postinst() {{\n\tewarn "{MESSAGE}"\n}}\n'),
}  # fmt: skip

MORE: Mapping[str, str] = {
    "ore-1": ebuild(installs("/usr/share/real/ore")),
    # its script runs where keep_scripts brings the package that it is built with
    "poem-1": ebuild(
        "src_install() {\n\tnewbin - poem <<<$'#!/usr/bin/perl\\nprint 1 + 1'\n}\n", BDEPEND="dev-lang/perl"
    ),
    # it brings what every image needs as dependencies
    "mine-1": ebuild(RDEPEND="dev-lang/python sys-apps/busybox sys-apps/openrc"),
}

# the folders beside /usr, and in them what everything else takes for granted
_UNMERGED = """_folder 0755 bin sbin lib "${libdir}" usr/sbin
	_link "../${libdir}" lib/x86_64-linux-gnu
	_link busybox bin/sh
	_link busybox bin/login"""

# packages of other categories
OTHERS: Mapping[str, str] = {
    "dev-lang/python/python-3.13.5": ebuild(
        _PYTHON, SLOT="3.13", RDEPEND="dev-libs/openssl sys-libs/zlib", RESTRICT="strip", QA_PREBUILT="*",
        LICENSE="PSF-2",
    ),
    # that of the stage3, which has it in no package
    "dev-lang/perl/perl-5.40": ebuild(
        "src_install() {\n\tdobin /usr/bin/perl\n}\n", RDEPEND="sys-libs/glibc sys-libs/libxcrypt", RESTRICT="strip",
        QA_PREBUILT="*",
    ),
    "acct-group/metal/metal-0": ebuild(_ACCOUNT.replace("COMMAND", "groupadd").replace("ARGUMENTS", "-g 464 metal")),
    "acct-user/metal/metal-0": ebuild(
        _ACCOUNT.replace("COMMAND", "useradd").replace("ARGUMENTS", "-u 464 -g 464 -M -d /nonexistent metal"),
        DEPEND="acct-group/metal", RDEPEND="acct-group/metal",
    ),
}  # fmt: skip

# packages that do not build
BAD: Mapping[str, str] = {
    "choosy-1": ebuild(IUSE="+gold lead", REQUIRED_USE="gold? ( lead )"),
    "metal-1": ebuild(),
    "metal-2": ebuild(),
    "old-1": ebuild(RDEPEND="=app-misc/metal-1"),
    "new-1": ebuild(RDEPEND="=app-misc/metal-2"),
    "acid-1": ebuild(RDEPEND="!!app-misc/base"),
    "base-1": ebuild(),
    "hen-1": ebuild(DEPEND="app-misc/egg"),
    "egg-1": ebuild(DEPEND="app-misc/hen"),
    "live-9999": ebuild(KEYWORDS="", PROPERTIES="live"),
    "testing-1": ebuild(KEYWORDS="~amd64"),
    "picky-1": ebuild(RDEPEND="app-misc/choosy[lead,-gold]"),
    "unsafe-1": ebuild(),
    "licensed-1": ebuild(LICENSE="vendor-eula"),
    "byhand-1": ebuild(SRC_URI="gold.zip", RESTRICT="fetch"),
    "eapi-1": ebuild(EAPI="9"),
    "cached-1": ebuild(EAPI="9"),
    "future-1": ebuild(EAPI="99"),
    "lost-1": ebuild(RDEPEND="app-misc/nowhere"),
    "pretender-1": ebuild('pkg_pretend() {\n\tdie "CONFIG_GOLD is not set in the kernel"\n}\n'),
}


def main(folder: Path) -> Repository:
    """The repository `gentoo`: a profile of several parents, USE_EXPAND, a mask, an eclass, licences and news."""
    made: Repository = layout.tree(folder, "gentoo")
    profiles = folder / "profiles"
    files = {
        "profiles/base/make.defaults": (
            'USE_EXPAND="${USE_EXPAND} PYTHON_TARGETS ABI_X86"\nPYTHON_TARGETS="gold"\n'
            # as Gentoo's profiles with two ABIs have it since 17.1
            'ABI_X86="64 32"\nLIBDIR_x86="lib"\n'
        ),
        "profiles/base/eapi": "8\n",
        f"profiles/{PROFILE}/parent": "..\n../../../../../base\n",
        f"profiles/{PROFILE}/eapi": "8\n",
        f"profiles/{PROFILE}/package.mask": "# breaks the furnace\napp-misc/unsafe\n",
        f"profiles/{SPLIT_USR}/parent": "../node\n",
        f"profiles/{SPLIT_USR}/eapi": "8\n",
        f"profiles/{SYSTEMD}/parent": "..\n",
        f"profiles/{SYSTEMD}/eapi": "8\n",
        "profiles/profiles.desc": "".join(
            f"amd64 {profile} stable\n" for profile in (layout.PROFILE, PROFILE, SPLIT_USR, SYSTEMD)
        ),
        "eclass/metal.eclass": "METAL_OF_ECLASS=gold\n",
        "metadata/news/2026-01-01-gold/2026-01-01-gold.en.txt": (
            "Title: Gold\nAuthor: A <a@example.org>\nPosted: 2026-01-01\nRevision: 1\nNews-Item-Format: 2.0\n\nGold\n"
        ),
    }  # fmt: skip
    _write(folder, {**files, **systemd_utils.FILES})
    groups = profiles / "license_groups"
    groups.write_text(f"{groups.read_text(encoding='utf-8')}EULA vendor-eula\nVENDOR vendor-terms\n", encoding="utf-8")
    made.git("add", "--all")
    made.git("commit", "--quiet", "-m", "profiles")
    return made


def overlay(folder: Path) -> None:
    """The repository `vendor`, which uses the eclasses of gentoo."""
    files = {
        "profiles/repo_name": "vendor\n",
        "profiles/eapi": "8\n",
        "profiles/node/eapi": "8\n",
        "profiles/node/make.defaults": 'VENDOR_METAL="gold"\n',
        "profiles/categories": "acct-group\nacct-user\n",
        "metadata/layout.conf": "masters = gentoo\nthin-manifests = true\nprofile-formats = portage-2\n",
        "app-misc/byhand/Manifest": f"DIST gold.zip 4 SHA512 {'0' * 128}\n",
    }
    for full, text in {**GOOD, **MORE, **BAD}.items():
        files[f"app-misc/{full.rpartition('-')[0]}/{full}.ebuild"] = text
    # as Gentoo's mirrors have it: no ebuild is run to know what it is
    digest = hashlib.md5(BAD["cached-1"].encode(), usedforsecurity=False).hexdigest()
    files["metadata/md5-cache/app-misc/cached-1"] = (
        "".join(f"{name}={text}\n" for name, text in (_DEFAULTS | {"EAPI": "9"}).items() if name != "S")
        + f"DEFINED_PHASES=-\n_md5_={digest}\n"
    )
    _write(folder, files | {f"{path}.ebuild": text for path, text in OTHERS.items()})


def unmerged_baselayout(folder: Path) -> None:
    """Adds a later version of sys-apps/baselayout to a repository, which does not merge /usr."""
    original = repository.ROOT / "overlays/embedded/sys-apps/baselayout"
    shutil.copytree(original / "files", folder / "sys-apps/baselayout/files")
    (source,) = original.glob("*.ebuild")
    text, folders = source.read_text(encoding="utf-8"), "_folder 0755 usr usr/bin"
    assert folders in text
    merging = re.compile(r"\t_link (usr/bin s?bin|bin usr/sbin|usr/lib lib|\"usr/\$\{libdir\}\" \"\$\{libdir\}\")\n")
    text, count = merging.subn("", text.replace(folders, f"{_UNMERGED}\n\t{folders}"))
    assert count == 5
    _write(folder, {"sys-apps/baselayout/baselayout-99.ebuild": text})


def settings(folder: Path) -> None:
    """What a user has in etc/portage: folders where Portage takes either a file or a folder."""
    _write(
        folder,
        {
            "env/furnace": 'METAL="gold"\n',
            "package.env/vendor": "app-misc/environment furnace\n",
            "patches/app-misc/patched/gold.patch": _PATCH,
            "package.mask/vendor": ">app-misc/masked-1\n",
            "package.accept_keywords/vendor": "app-misc/asked **\n",
            "profile/package.provided/vendor": "app-misc/provided-1\n",
            "bashrc": '[[ ${PN} != hooked ]] || '
                      'post_src_install() { insinto /usr/share/real; newins - hooked <<<gold; }\n',
        },
    )  # fmt: skip
    # the repository has this one as a file
    with (folder / "package.use").open("a", encoding="utf-8") as file:
        file.write("app-misc/tuned gold\n")


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
