"""Portage in a chroot: its configuration, its cache of binary packages, and what it says was installed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from alchemy import archive, fetch
from alchemy.chroot import Chroot
from alchemy.context import Context

BINPKGS = "/var/cache/binpkgs"
DISTFILES = "/var/cache/distfiles"
REPOSITORIES = "/var/db/repos"
USER_DISTFILES = "/mnt/distfiles"

# the tree behind stage3_url: debian:, which no other stage3 is given
EMBEDDED = "embedded"

# What Portage itself does not compare when it decides whether a binary package fits.
_KEYED_BY = ("ARCH", "CHOST", "CFLAGS", "CXXFLAGS", "LDFLAGS")

# An atom as a package set has it (PMS 8.3.1), without blocks and conditionals.
_ATOM = re.compile(r"(?:[<>]=?|=|~)?[a-z0-9][\w+.-]*/[A-Za-z0-9_][\w+.-]*\*?(?::[\w+./*=-]+)?(?:\[[\w+@,?!=()-]+\])?")

_RECORDS = ".ebuilds.json"


@dataclass(frozen=True)
class Package:
    """An installed package, as the manifest lists it. `size` is that of its files, in bytes."""

    category: str
    name: str
    version: str
    slot: str
    repository: str
    use: tuple[str, ...]
    licence: str
    size: int

    @property
    def atom(self) -> str:
        return f"{self.category}/{self.name}"

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def overlays(context: Context) -> dict[str, Path]:
    """The repositories of overlays/ that this build may use, by name. The embedded tree is for its own stage3 only."""
    found = {}
    for file in sorted((context.root / "overlays").glob("*/profiles/repo_name")):
        name = file.read_text(encoding="utf-8").strip()
        if name != EMBEDDED or context.config.stage3_url.startswith("debian:"):
            found[name] = file.parent.parent
    return found


def read_set(path: Path) -> list[str]:
    """The atoms of a package set. Raises ValueError for a line that is none."""
    atoms = archive.lines(path)
    for atom in atoms:
        if not _ATOM.fullmatch(atom):
            raise ValueError(f"{path}: not a package atom: {atom}")
    return atoms


def configure(context: Context, chroot: Chroot, atoms: Iterable[str]) -> None:
    """Writes /etc/portage of a chroot: ours over what the stage3 brought along."""
    target = chroot / "etc/portage"
    ours = context.root / "etc" / "portage"
    make_conf = target / "make.conf"
    rendered = archive.render(
        ours / "make.conf.j2",
        stage3=make_conf.read_text(encoding="utf-8") if make_conf.exists() else "",
        jobs=context.config.jobs,
        gentoo_mirrors="",
        accept_licenses=context.config.accept_licenses,
    )
    make_conf.write_text(rendered, encoding="utf-8")
    repos_conf = archive.render(
        ours / "repos.conf.j2", overlays=[name for name in overlays(context) if name != EMBEDDED]
    )
    for folder in ("repos.conf", "package.use", "sets"):
        (target / folder).mkdir(parents=True, exist_ok=True)
    (target / "repos.conf" / "alchemy.conf").write_text(repos_conf, encoding="utf-8")
    (target / "package.use" / "alchemy").write_text(
        (ours / "package.use").read_text(encoding="utf-8"), encoding="utf-8"
    )
    (target / "sets" / "alchemy").write_text("".join(f"{atom}\n" for atom in atoms), encoding="utf-8")
    mirror = _debian_mirror(context)
    if mirror:
        (target / "mirrors").write_text(f"debian {mirror}\n", encoding="utf-8")


def _debian_mirror(context: Context) -> str | None:
    """The Debian mirror of the host's apt: mirror:// URLs of ebuilds resolve to it."""
    sources = fetch.debian_sources(context, "any")
    return sources[0].split()[1].rstrip("/") if sources else None


def package_cache(context: Context, chroot: Chroot, log: Path) -> Path:
    """The folder of binary packages that fit this chroot, made if need be."""
    values = context.runner.capture(chroot.argv(["portageq", "envvar", "-v", *_KEYED_BY]), log=log)
    compilers = context.runner.capture(
        chroot.argv(["sh", "-c", "gcc -dumpfullversion; getconf GNU_LIBC_VERSION"]), log=log
    )
    profile = (chroot / "etc/portage/make.profile").readlink()
    key = hashlib.sha256(f"{values}{compilers}{profile}".encode()).hexdigest()[:16]
    folder = context.cache / "packages" / key
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def drop_stale(packages: Path, repositories: Iterable[Path]) -> list[str]:
    """Removes binary packages whose ebuild has changed since they were built.

    Portage compares versions and USE, but not an ebuild's text, and in a tree that is being worked on that changes
    without a new revision. Called before a build; returns the names of what changed. Portage's index of the folder
    is wrong then, until `emaint --fix binhost`.
    """
    before = _recorded(packages)
    now = _digests(repositories)
    stale = sorted(name for name, value in now.items() if name in before and before[name] != value)
    for name in stale:
        category, version = name.split("/")
        for file in (packages / category).glob(f"*/{version}*.gpkg.tar"):
            if re.fullmatch(rf"{re.escape(version)}(-\d+)?\.gpkg\.tar", file.name):
                file.unlink()
    return stale


def note_ebuilds(packages: Path, repositories: Iterable[Path]) -> None:
    """Records of which ebuilds the binary packages are that will be built from now on."""
    archive.write_json(packages / _RECORDS, {**_recorded(packages), **_digests(repositories)})


def _recorded(packages: Path) -> dict[str, str]:
    file = packages / _RECORDS
    recorded: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return recorded


def _digests(repositories: Iterable[Path]) -> dict[str, str]:
    return {name: value for repository in repositories for name, value in ebuild_digests(repository).items()}


def ebuild_digests(repository: Path) -> dict[str, str]:
    """A digest for each `category/package-version` of a repository: its ebuild, its files/ and what it inherits."""
    digests = {}
    for ebuild in sorted(repository.glob("*/*/*.ebuild")):
        eclasses = _inherited(repository, ebuild)
        total = archive.digest(ebuild, ebuild.parent / "files") + (archive.digest(*eclasses) if eclasses else "")
        digests[f"{ebuild.parent.parent.name}/{ebuild.stem}"] = hashlib.sha256(total.encode()).hexdigest()
    return digests


def _inherited(repository: Path, file: Path) -> list[Path]:
    """The eclasses of this repository that an ebuild or eclass inherits, and those that these inherit."""
    found: dict[Path, None] = {}
    waiting = [file]
    while waiting:
        text = waiting.pop().read_text(encoding="utf-8")
        for names in re.findall(r"^\s*inherit (.+)", text, re.MULTILINE):
            for path in (repository / "eclass" / f"{name}.eclass" for name in names.split()):
                if path.is_file() and path not in found:
                    found[path] = None
                    waiting.append(path)
    return sorted(found)


def installed(root: Path) -> list[Package]:
    """The packages in the database of a root (/var/db/pkg, PMS 'installed package database'), sorted."""
    packages = []
    for folder in sorted((root / "var/db/pkg").glob("*/*")):

        def text(name: str, folder: Path = folder) -> str:
            file = folder / name
            return file.read_text(encoding="utf-8").strip() if file.exists() else ""

        name, version = split_version(text("PF") or folder.name)
        iuse = {flag.lstrip("+-") for flag in text("IUSE").split()}
        packages.append(
            Package(
                category=folder.parent.name,
                name=name,
                version=version,
                slot=text("SLOT").split("/")[0],
                repository=text("repository"),
                use=tuple(sorted(iuse & set(text("USE").split()))),
                licence=text("LICENSE"),
                size=int(text("SIZE") or 0),
            )
        )
    return packages


def split_version(full: str) -> tuple[str, str]:
    """`name-1.2_p3-r4` as its name and its version (PMS 3.1.2, 3.2)."""
    match = re.fullmatch(r"(.+?)-(\d[\d.]*[a-z]?(?:_(?:alpha|beta|pre|rc|p)\d*)*(?:-r\d+)?)", full)
    if match is None:
        raise ValueError(f"not a package with a version: {full}")
    return match[1], match[2]
