"""Portage in a chroot: its configuration, its cache of binary packages, and what it says was installed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from alchemy import archive, fetch
from alchemy.chroot import Chroot
from alchemy.context import Context
from alchemy.repositories import FOLDER, Repositories

BINPKGS = "/var/cache/binpkgs"
DISTFILES = "/var/cache/distfiles"
USER_DISTFILES = "/mnt/distfiles"
BINPKG_SUFFIX = ".gpkg.tar"

# What Portage itself does not compare when it decides whether a binary package fits.
_KEYED_BY = ("ARCH", "CHOST", "CFLAGS", "CXXFLAGS", "LDFLAGS")

# An atom as a package set has it (PMS 8.3.1), without blocks and conditionals.
_ATOM = re.compile(r"(?:[<>]=?|=|~)?[a-z0-9][\w+.-]*/[A-Za-z0-9_][\w+.-]*\*?(?::[\w+./*=-]+)?(?:\[[\w+@,?!=()-]+\])?")

# what emerge says when it begins with a package
PROGRESS = re.compile(r">>> Emerging (?:binary )?\((?P<number>\d+) of (?P<total>\d+)\) (?P<name>[^\s:]+)")

_RECORDS = ".ebuilds.json"


@dataclass(frozen=True)
class Source:
    """A file that a package is built from, with its SHA-512."""

    name: str
    sha512: str


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
    sources: tuple[Source, ...] = ()

    @property
    def atom(self) -> str:
        return f"{self.category}/{self.name}"

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def read_set(path: Path) -> list[str]:
    """The atoms of a package set. Raises ValueError for a line that is none."""
    atoms = archive.lines(path)
    for atom in atoms:
        if not _ATOM.fullmatch(atom):
            raise ValueError(f"{path}: not a package atom: {atom}")
    return atoms


def configure(context: Context, chroot: Chroot, repositories: Repositories, atoms: Iterable[str]) -> None:
    """Writes /etc/portage of a chroot: ours over what the stage3 brought along, which `repositories` come over."""
    target = chroot / "etc/portage"
    ours = context.root / "etc" / "portage"
    make_conf = target / "make.conf"
    rendered = archive.render(
        ours / "make.conf.j2",
        stage3=make_conf.read_text(encoding="utf-8") if make_conf.exists() else "",
        jobs=context.config.jobs,
        accept_licenses=context.config.accept_licenses,
    )
    make_conf.write_text(rendered, encoding="utf-8")
    repos_conf = archive.render(
        ours / "repos.conf.j2", main=repositories.main, overlays=repositories.overlays, folder=FOLDER
    )
    if repositories.main is not None:
        # what the stage3 says of its repositories is of another tree
        archive.remove(target / "repos.conf")
        archive.remove(chroot / "usr/share/portage/config/repos.conf")
    _write(target / "repos.conf" / "alchemy.conf", repos_conf)
    # those of the stage3 are not what the configuration names
    archive.remove(target / "binrepos.conf")
    configure_binhosts(context, chroot)
    # USE flags, keywords, masks …: portage(5) has the names
    for path in sorted(ours.glob("package.*")):
        _write(target / path.name / "alchemy", path.read_text(encoding="utf-8"))
    _write(target / "sets" / "alchemy", "".join(f"{atom}\n" for atom in atoms))
    mirror = _debian_mirror(context)
    if mirror:
        (target / "mirrors").write_text(f"debian {mirror}\n", encoding="utf-8")


def configure_binhosts(context: Context, chroot: Chroot, *, frozen: bool = False) -> None:
    """Tells Portage in a chroot of the hosts of binary packages. `frozen`, it goes by the list that it has fetched."""
    conf = chroot / "etc/portage/binrepos.conf/alchemy.conf"
    template = context.root / "etc" / "portage" / "binrepos.conf.j2"
    if context.config.binhosts:
        _write(conf, archive.render(template, binhosts=context.config.binhosts, frozen=frozen))


def _write(path: Path, text: str) -> None:
    """Writes a file into a folder that a stage3 may have as a file, where Portage takes either: that is kept in it."""
    if path.parent.is_file():
        kept = path.parent.read_text(encoding="utf-8")
        path.parent.unlink()
        path.parent.mkdir()
        (path.parent / "stage3").write_text(kept, encoding="utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _debian_mirror(context: Context) -> str | None:
    """The Debian mirror of the host's apt: mirror:// URLs of ebuilds resolve to it."""
    sources = fetch.debian_sources(context, "any")
    return sources[0].split()[1].rstrip("/") if sources else None


def package_cache(context: Context, chroot: Chroot, log: Path, *, apart: str = "") -> Path:
    """The folder of binary packages that fit this chroot, made if need be; with `apart` another one of that name, for
    who builds while others do."""
    values = context.runner.capture(chroot.argv(["portageq", "envvar", "-v", *_KEYED_BY]), log=log)
    compilers = context.runner.capture(
        chroot.argv(["sh", "-c", "gcc -dumpfullversion; getconf GNU_LIBC_VERSION"]), log=log
    )
    profile = _profile(chroot / "etc/portage/make.profile")
    key = hashlib.sha256(f"{values}{compilers}{profile}".encode()).hexdigest()[:16]
    folder = context.cache / "packages" / (f"{key}-{apart}" if apart else key)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _profile(path: Path) -> str:
    """What names the profile: a link, or a folder with a file `parent` as Funtoo has it."""
    return str(path.readlink()) if path.is_symlink() else archive.digest(path)


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
        for file in (packages / category).glob(f"*/{version}*{BINPKG_SUFFIX}"):
            if re.fullmatch(rf"{re.escape(version)}(-\d+)?{re.escape(BINPKG_SUFFIX)}", file.name):
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


def without_binary(root: Path, packages: Path) -> list[str]:
    """The packages installed in a root, as `category/name-version`, of which there is no binary package."""
    found = []
    for folder in sorted((root / "var/db/pkg").glob("*/*")):
        category, version = folder.parent.name, folder.name
        if version.startswith("-"):
            # what a killed merge leaves
            continue
        name, _ = split_version(version)
        if not any((packages / category / name).glob(f"{version}-*{BINPKG_SUFFIX}")):
            found.append(f"{category}/{version}")
    return found


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


def with_sources(packages: Iterable[Package], repositories: Mapping[str, Path]) -> list[Package]:
    """The packages with the files they are built from, as the Manifests of the repositories list them (GLEP 74)."""
    return [
        replace(package, sources=_sources(repositories[package.repository], package))
        if package.repository in repositories
        else package
        for package in packages
    ]


def _sources(repository: Path, package: Package) -> tuple[Source, ...]:
    """Those of a package's Manifest; where the repository has several versions of it, those named after this one."""
    folder = repository / package.category / package.name
    found = []
    for line in archive.lines(folder / "Manifest") if (folder / "Manifest").exists() else ():
        kind, name, _, *digests = line.split()
        if kind == "DIST":
            found.append(Source(name, dict(zip(digests[::2], digests[1::2], strict=True)).get("SHA512", "")))
    if len(list(folder.glob("*.ebuild"))) > 1:
        version = re.sub(r"-r\d+$", "", package.version)
        found = [source for source in found if version in source.name]
    return tuple(sorted(found, key=lambda source: source.name))


def split_version(full: str) -> tuple[str, str]:
    """`name-1.2_p3-r4` as its name and its version (PMS 3.1.2, 3.2)."""
    match = re.fullmatch(r"(.+?)-(\d[\d.]*[a-z]?(?:_(?:alpha|beta|pre|rc|p)\d*)*(?:-r\d+)?)", full)
    if match is None:
        raise ValueError(f"not a package with a version: {full}")
    return match[1], match[2]
