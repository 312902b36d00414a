"""What a mirror of Gentoo holds, made out of what is here: a stage3, the tree in git, a snapshot of it."""

from __future__ import annotations

import datetime
import hashlib
import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import zstandard

from alchemy.context import Context
from alchemy.host import files
from alchemy.host.chroot import Chroot
from alchemy.portage import buildroot, repositories
from alchemy.stages import plan
from tests import repository
from tests.lib import gits
from tests.lib.gits import Repository
from tests.lib.keys import Key

PROFILE = "default/linux/amd64/23.0"

_MAKE_PROFILE = "etc/portage/make.profile"

# how Funtoo's stage3s name theirs: several, and those of kits are beside them
FUNTOO = (
    "funtoo/1.0/linux-gnu/arch/x86-64bit", "funtoo/1.0/linux-gnu/build/current", "funtoo/1.0/linux-gnu/flavor/minimal",
    "funtoo/kits/gold-kit/curated",
)  # fmt: skip

_REPOS_CONF = """\
[DEFAULT]
main-repo = {name}

[{name}]
location = /var/db/repos/{name}
sync-type = rsync
sync-uri = rsync://rsync.gentoo.org/gentoo-portage
"""


# as app-portage/getuto does: Portage, which checks binary packages as nobody, trusts the key
_GETUTO = """\
#!/bin/sh
set -eu
home=/etc/portage/gnupg
[ ! -d $home ] || exit 0
mkdir -m 755 $home
echo lock-never >$home/gpg.conf
gpg --homedir $home --batch --import /usr/share/openpgp-keys/gentoo-release.asc
echo {fingerprint}:6: | gpg --homedir $home --batch --import-ownertrust
gpg --homedir $home --batch --check-trustdb
chmod -R a+rX $home
"""

# what Portage and a build leave in a root, and no stage3 has
_LEFT = ("mnt", "var/cache/binpkgs", "var/cache/edb", "var/db/repos", "var/log", "var/tmp")

# where a Gentoo stage3 has the libraries of its compiler
COMPILER = "usr/lib/gcc/x86_64-pc-linux-gnu/14"

# one of them that is there for 32 bits, too
OF_32_BITS = "libatomic.so.1"

# where /usr is not merged: the folders beside it, and the packages that have all their programs and libraries there
_OUTSIDE_USR = ("bin", "sbin", "lib", "lib64")
_MOVED = ("bash", "busybox", "glibc", "openrc")
_BUSYBOX = "/bin/busybox"

# what is where in a stage3 of Funtoo: its repositories and their kits come with meta-repo, in git
_FUNTOO_LINKS = {"./etc/portage/repos.conf": "/var/git/meta-repo/repos.conf"}
_EGO = "[global]\nrelease = 1.4-release\nsync_base_url = https://github.com/funtoo/{repo}\n"

# C++, link-time optimization, the sanitizers, CMake and most of Perl: half of a stage3, which each build unpacks twice
_UNUSED = re.compile(
    r"/(cc1plus|lto1|[^/]*-lto-dump-\d+|cmake|cpack|ctest|lib(a|hwa|l|t|ub)san\.[^/]*|libgprofng\.[^/]*)$"
    r"|^\./usr/(include/c\+\+|lib64/perl|lib/git-core|share/(cmake-[^/]*|perl|texinfo))/|^\./var/lib/dpkg/info/"
)

_NO_PROGRAMS: Mapping[str, bytes] = MappingProxyType({})

# the fastest way
_COMPRESS = {".xz": ["xz", "-0", "-T0"], ".zst": ["zstd", "--quiet", "-1", "-T0"]}


def furnished(context: Context, atoms: Sequence[str], folder: Path, *, merged: bool = True) -> Path:
    """Returns the tarball of a stage3 with packages in its database, as Gentoo's have hundreds: an image gets them from
    there, and they are not compiled again. It is the embedded one, with packages of the cache that tests share. /usr is
    `merged`, or /bin, /sbin, /lib and /lib64 are folders of their own."""
    base = plan.create(context, plan.recall(context))["stage3"]
    plan.realize(context, [base])
    root, tarball = folder / "furnished", folder / "furnished.tar.zst"
    available, sets = repositories.collect(context, {}), {"packages/packages.core": list(atoms)}
    inside, kept = buildroot.prepare(context, base.output, root, available, sets, "furnished")
    buildroot.build(context, inside, kept, sets, "furnished")
    for path in (root / "etc/portage").iterdir():
        if path.name != "make.profile":
            files.remove(path)
    (root / COMPILER / "32").mkdir(parents=True)
    for name in ("libgcc_s.so.1", "libstdc++.so.6"):
        shutil.copy(root / "usr/lib64" / name, root / COMPILER)
    linking = ["gcc", "-m32", "-shared", "-nostdlib", f"-Wl,-soname,{OF_32_BITS}", "-x", "c", "/dev/null"]
    linking += ["-o", f"/{COMPILER}/32/{OF_32_BITS}"]
    context.runner.run(inside.argv(linking), log=context.logfile("furnished"), what="linking")
    if not merged:
        _split_usr(root)
    leave_out = [f"--exclude=./{path}/*" for path in _LEFT]
    pack: list[str | Path] = ["--use-compress-program=zstd --quiet -1 -T0", "--file", tarball, "--directory", root, "."]
    context.runner.run(["tar", "--create", *leave_out, *pack], log=context.logfile("furnished"), what="packing")
    files.remove(root)
    return tarball


def _split_usr(root: Path) -> None:
    """Makes folders of the links /bin, /sbin, /lib and /lib64. What packages have there is moved there; all else is
    linked, so that the programs of the stage3 are found in either place."""
    for name in _OUTSIDE_USR:
        (root / name).unlink()
        (root / name).mkdir()
        for file in (root / "usr" / name).iterdir():
            (root / name / file.name).symlink_to(f"../usr/{name}/{file.name}")
    for contents in root.glob("var/db/pkg/*/*/CONTENTS"):
        moves = contents.parent.name.rpartition("-")[0] in _MOVED
        lines = []
        for line in contents.read_text(encoding="utf-8").splitlines():
            kind, path, *rest = line.split(" ")
            target = path.removeprefix("/usr") if moves else path
            if kind != "dir" and target.rpartition("/")[0].lstrip("/") in _OUTSIDE_USR:
                (root / target.lstrip("/")).unlink()
                (root / f"usr{target}").rename(root / target.lstrip("/"))
                (root / f"usr{target}").symlink_to(f"../..{target}")
                lines.append(" ".join([kind, target, *rest]))
            else:
                lines.append(line)
            if target == _BUSYBOX:
                # its applets are links to it in /usr/bin
                lines.append(f"sym /usr{_BUSYBOX} -> ../..{_BUSYBOX} {rest[-1]}")
        contents.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def stage3(
    source: Path, target: Path, name: str, key: Key, programs: Mapping[str, bytes] = _NO_PROGRAMS, *, lean: bool = False
) -> None:
    """Makes a Gentoo stage3 out of the embedded one, for a main repository called `name`, with other `programs` in
    /usr/bin. A `lean` one compiles C alone, and is half as large.

    As in Gentoo's it is configured for a repository that is not there yet, and trusts its key. The suffix of `target`
    says how it is compressed.
    """
    profile = f"../../var/db/repos/{name}/profiles/{PROFILE}"
    changed = {**_configured(name, key), **{f"./usr/bin/{program}": text for program, text in programs.items()}}
    _repack(source, target, changed, {f"./{_MAKE_PROFILE}": profile}, _UNUSED if lean else None)


def funtoos_stage3(source: Path, target: Path, name: str, key: Key, parents: Sequence[str]) -> None:
    """Makes a Funtoo stage3 out of the embedded one: its make.profile is a folder that lists several profiles, and its
    repositories are described in a meta-repo that is not there yet."""
    changed = {
        **_configured(name, key),
        f"./{_MAKE_PROFILE}/parent": "".join(f"{parent}\n" for parent in parents).encode(),
        "./etc/ego.conf": _EGO.encode(),
    }
    _repack(source, target, changed, _FUNTOO_LINKS, re.compile(rf"^\./{re.escape(_MAKE_PROFILE)}$"))


def _configured(name: str, key: Key) -> dict[str, bytes]:
    return {
        "./usr/share/portage/config/repos.conf": _REPOS_CONF.format(name=name).encode(),
        "./usr/share/openpgp-keys/gentoo-release.asc": key.public.read_bytes(),
        "./usr/bin/getuto": _GETUTO.format(fingerprint=key.fingerprint).encode(),
    }


def _repack(
    source: Path, target: Path, changed: Mapping[str, bytes], links: Mapping[str, str], without: re.Pattern[str] | None
) -> None:
    """Repacks a tarball with other files and links, and without those whose names match."""
    replaced = {*changed, *links}
    with target.open("wb") as output:
        compress = subprocess.Popen(_COMPRESS[target.suffix], stdin=subprocess.PIPE, stdout=output)
        assert compress.stdin is not None
        with (
            zstandard.open(source) as content,
            tarfile.open(fileobj=content, mode="r|") as old,
            tarfile.open(fileobj=compress.stdin, mode="w|") as new,
        ):
            for member in old:
                if member.name not in replaced and not (without and without.search(member.name)):
                    new.addfile(member, old.extractfile(member) if member.isreg() else None)
            for path, link in links.items():
                member = tarfile.TarInfo(path)
                member.type, member.linkname = tarfile.SYMTYPE, link
                new.addfile(member)
            for path, text in changed.items():
                member = tarfile.TarInfo(path)
                member.size, member.mode = len(text), 0o755 if path.startswith("./usr/bin/") else 0o644
                new.addfile(member, io.BytesIO(text))
        compress.stdin.close()
        assert compress.wait() == 0


# a package like many of Gentoo's: one of its programs needs Perl, which a small image lacks
SCRIPTS = "app-misc/scripts"
PERL_SCRIPT = "/usr/bin/in-perl"
_SCRIPTS = f"""\
EAPI=8
DESCRIPTION="Scripts in two languages"
HOMEPAGE="https://example.org"
LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"
S="${{WORKDIR}}"

src_install() {{
	newbin - {PERL_SCRIPT.rpartition("/")[2]} <<<'#!/usr/bin/perl'
	newbin - in-shell <<<'#!/bin/sh'
}}
"""

# a shell and what the setup of a small clone runs in it
_FEW_APPLETS = "CONFIG_BUSYBOX=y\nCONFIG_SH_IS_ASH=y\nCONFIG_CAT=y\n"

# a package of a kit, which shows that the profile of the kit is in use
KITS = "app-misc/kits"
KITS_FILE = "usr/share/kits"
_KITS = """\
EAPI=8
DESCRIPTION="A file"
HOMEPAGE="https://example.org"
LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"
S="${WORKDIR}"

src_install() {
	insinto /usr/share
	newins - kits <<<"${METAL_OF_KIT}"
}
"""


def tree(folder: Path, name: str, key: Key | None = None) -> Repository:
    """A repository of the ebuilds of overlays/embedded, called `name`, in the new folder `folder`."""
    made = gits.make(folder, key)
    shutil.copytree(repository.ROOT / "overlays/embedded", folder, dirs_exist_ok=True)
    profiles = folder / "profiles"
    (profiles / "default").rename(profiles / "moved")
    (profiles / PROFILE).parent.mkdir(parents=True)
    (profiles / "moved").rename(profiles / PROFILE)
    (profiles / "profiles.desc").write_text(f"amd64 {PROFILE} stable\n")
    ebuild = folder / SCRIPTS / f"{SCRIPTS.rpartition('/')[2]}-1.ebuild"
    ebuild.parent.mkdir(parents=True)
    ebuild.write_text(_SCRIPTS, encoding="utf-8")
    made.commit("profiles/repo_name", f"{name}\n")
    return made


def take_applets(tree: Repository) -> None:
    """Leaves busybox a few applets: it compiles in a sixth of the time, and its images are not booted."""
    (ebuild,) = (tree.folder / "sys-apps/busybox").glob("*.ebuild")
    text = ebuild.read_text(encoding="utf-8").replace("_make defconfig", "_make allnoconfig")
    tree.commit(str(ebuild.relative_to(tree.folder)), text)
    tree.commit("sys-apps/busybox/files/config", _FEW_APPLETS)


def kits(folder: Path) -> tuple[Repository, Repository]:
    """The main kit of Funtoo with its profiles, and another with the package KITS, in the new folder `folder`."""
    core, gold = tree(folder / "core-kit", "core-kit"), gits.make(folder / "gold-kit")
    for path in FUNTOO:
        core.commit(f"profiles/{path}/eapi", "8\n")
    arch, _, _, kit = FUNTOO
    core.commit(f"profiles/{arch}/parent", f"{'../' * len(arch.split('/'))}{PROFILE}\n")
    core.commit(f"profiles/{kit}/make.defaults", 'METAL_OF_KIT="gold"\n')
    gold.commit("profiles/repo_name", "gold-kit\n")
    gold.commit("metadata/layout.conf", "masters = core-kit\nthin-manifests = true\nprofile-formats = portage-2\n")
    gold.commit(f"{KITS}/{KITS.rpartition('/')[2]}-1.ebuild", _KITS)
    return core, gold


def serve(tree: Repository, target: Path) -> None:
    """Puts the commits of a repository into the bare repository `target`, as a mirror has it."""
    if not target.exists():
        tree.git("init", "--quiet", "--bare", "--initial-branch=main", str(target))
    tree.git("push", "--quiet", "--force", str(target), "HEAD:main")


def snapshot(folder: Path, tree: Repository, day: datetime.date, key: Key) -> Path:
    """Puts the snapshot of a day into a mirror's folder snapshots/, as emerge-webrsync wants it."""
    folder.mkdir(parents=True, exist_ok=True)
    made = datetime.datetime.combine(day, datetime.time(), datetime.UTC) + datetime.timedelta(days=1, minutes=45)
    stem = f"gentoo-{day:%Y%m%d}"
    times = {
        "timestamp.x": f"{made.timestamp():.0f} {made:%c} UTC\n",
        "timestamp.chk": f"{made:%a, %d %b %Y %T +0000}\n",
    }
    target = folder / f"{stem}.tar.xz"
    with tarfile.open(target, "w:xz", preset=0) as tar:
        tar.add(tree.folder, stem, filter=lambda member: None if ".git" in Path(member.name).parts else member)
        for name, text in times.items():
            member = tarfile.TarInfo(f"{stem}/metadata/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    list_digest(target)
    sign(target, key)
    return target


def list_digest(snapshot: Path) -> None:
    digest = hashlib.md5(snapshot.read_bytes(), usedforsecurity=False).hexdigest()
    snapshot.with_name(f"{snapshot.name}.md5sum").write_text(f"{digest}  {snapshot.name}\n")


def sign(snapshot: Path, key: Key) -> None:
    snapshot.with_name(f"{snapshot.name}.gpgsig").write_bytes(key.detached(snapshot.read_bytes()))


def binhost(context: Context, root: Path, tree: Repository, folder: Path, atom: str, key: Key) -> None:
    """Puts a package that is installed in a build chroot into a binhost's folder, signed, with Portage's index."""
    inside = Chroot(
        root,
        writable=True,
        binds={"/mnt/binhost": folder, "/mnt/gnupg": key.home},
        ro_binds={"/var/db/repos/gentoo": tree.folder},
        env={
            "PKGDIR": "/mnt/binhost", "FEATURES": "binpkg-signing",
            "BINPKG_GPG_SIGNING_GPG_HOME": "/mnt/gnupg", "BINPKG_GPG_SIGNING_KEY": key.fingerprint,
            # Portage looks at what it has signed, as root: nobody may read the keys
            "BINPKG_GPG_VERIFY_GPG_HOME": "/mnt/gnupg", "GPG_VERIFY_USER_DROP": "", "GPG_VERIFY_GROUP_DROP": "",
        },
    )  # fmt: skip
    script = f"mkdir -p /run/lock && quickpkg --include-config=y {atom} && emaint --fix binhost"
    context.runner.run(inside.argv(["sh", "-c", script]), log=context.logfile("binhost"), what="quickpkg")
