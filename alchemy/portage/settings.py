"""Configures Portage in a chroot, and reads its database of installed packages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from alchemy.context import Context
from alchemy.errors import UserError, VerificationError
from alchemy.fetch import debian
from alchemy.host import files
from alchemy.host.chroot import Chroot
from alchemy.host.rooted import Rooted
from alchemy.portage import metadata, mirrors, profile
from alchemy.portage.repositories import FOLDER, Repositories

BINPKGS = "/var/cache/binpkgs"
DISTFILES = "/var/cache/distfiles"
USER_DISTFILES = "/mnt/distfiles"
FETCHED_DISTFILES = "/mnt/fetched"
BINPKG_SUFFIX = ".gpkg.tar"

# An atom as a package set has it (PMS 8.3.1), without blocks and conditionals; a repository is Portage's (ebuild(5)).
_ATOM = re.compile(
    r"(?:[<>]=?|=|~)?[A-Za-z0-9_][\w+.-]*/[A-Za-z0-9_][\w+.-]*\*?(?::[\w+./*=-]+)?(?:::[A-Za-z0-9_][\w-]*)?"
    r"(?:\[[\w+@,?!=()-]+\])?",
    re.ASCII,
)

# what emerge says when it begins with a package
PROGRESS = re.compile(r">>> Emerging (?:binary )?\((?P<number>\d+) of (?P<total>\d+)\) (?P<name>[^\s:]+)")


@dataclass(frozen=True)
class Source:
    """A file that a package is built from, with its SHA-512."""

    name: str
    sha512: str


@dataclass(frozen=True)
class Package:
    """An installed package, as the manifest lists it. `size` is that of its files, in bytes. `cpe` is its name in the
    National Vulnerability Database, without a version, `upstream` the URL of upstream's git repository; both may be
    empty."""

    category: str
    name: str
    version: str
    slot: str
    repository: str
    use: tuple[str, ...]
    licence: str
    size: int
    sources: tuple[Source, ...] = ()
    cpe: str = ""
    upstream: str = ""

    @property
    def atom(self) -> str:
        return f"{self.category}/{self.name}"

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def read_set(path: Path) -> list[str]:
    """Reads the atoms of a package set. Raises UserError that names each line which is not an atom."""
    atoms = files.lines(path)
    wrong = [atom for atom in atoms if not _ATOM.fullmatch(atom)]
    if wrong:
        raise UserError(
            "\n".join(f"{path}: not a package atom: {ascii(atom)[1:-1]}" for atom in wrong),
            hint="one Portage atom a line, such as net-misc/curl or =net-misc/curl-8*; # begins a comment",
        )
    return atoms


def configure(context: Context, chroot: Chroot, repositories: Repositories, atoms: Iterable[str]) -> None:
    """Writes /etc/portage of a chroot: ours over what the stage3 brought along, which `repositories` come over."""
    tree = Rooted(chroot.root)
    target = "etc/portage"
    ours = context.root / "etc" / "portage"
    make_conf = f"{target}/make.conf"
    rendered = files.render(
        ours / "make.conf.j2",
        stage3="\n".join(tree.text(file) for file in _files(tree, make_conf)),
        jobs=context.config.jobs,
        accept_licenses=context.config.accept_licenses,
    )
    tree.remove(make_conf)
    tree.write_text(make_conf, rendered)
    repos_conf = files.render(
        ours / "repos.conf.j2", main=repositories.main, overlays=repositories.overlays, folder=FOLDER
    )
    if repositories.main is not None:
        # the stage3's repos.conf describes another tree
        tree.remove(f"{target}/repos.conf")
        tree.remove("usr/share/portage/config/repos.conf")
    _write(tree, f"{target}/repos.conf/alchemy.conf", repos_conf)
    # the stage3's binrepos.conf names hosts that config.yml does not
    tree.remove(f"{target}/binrepos.conf")
    _merge(tree, ours, target)
    profile.configure(tree, context.config.profile, repositories)
    _write(tree, f"{target}/sets/alchemy", "".join(f"{atom}\n" for atom in atoms))
    debians = [debian_mirror(context), mirrors.snapshots(context, chroot, context.logfile("sources"))]
    places = {"local": mirrors.own(context), "debian": [place for place in debians if place]}
    written = "".join(f"{name} {' '.join(bases)}\n" for name, bases in places.items() if bases)
    if written:
        # "local" mirrors come first, also for files that RESTRICT keeps from others (portage(5))
        tree.write_text(f"{target}/mirrors", written)


def _files(tree: Rooted, path: str) -> list[str]:
    """The file at `path`, or the files of a folder there, in the order in which Portage reads them: it allows either,
    and passes over names that begin with a dot or end in a tilde (portage(5))."""
    if not tree.is_dir(path):
        return [path] if tree.is_file(path) else []
    names = [name for name in tree.names(path) if not name.startswith(".") and not name.endswith("~")]
    return [file for name in names for file in _files(tree, f"{path}/{name}")]


def _merge(tree: Rooted, ours: Path, target: str) -> None:
    """Lays our configuration of Portage over that of the stage3: bashrc, env/, patches/, package.use …

    portage(5) has the names. Every file but a template is taken; a package.* file goes into the folder of that name.
    """
    for path in sorted(path for path in ours.iterdir() if path.suffix not in (".j2", ".md")):
        if path.name.startswith("package.") and path.is_file():
            _write(tree, f"{target}/{path.name}/alchemy", files.text(path))
        elif path.name.startswith("package."):
            for file in (file for file in sorted(path.rglob("*")) if file.is_file()):
                _write(tree, f"{target}/{path.name}/{file.relative_to(path)}", files.text(file))
        else:
            tree.merge(path, f"{target}/{path.name}")


def configure_binhosts(context: Context, chroot: Chroot, folders: Iterable[str]) -> None:
    """Tells Portage in a chroot in which of its folders copies of binary package hosts are, the first before others."""
    template = context.root / "etc" / "portage" / "binrepos.conf.j2"
    rendered = files.render(template, folders=list(folders))
    _write(Rooted(chroot.root), "etc/portage/binrepos.conf/alchemy.conf", rendered)


def _write(tree: Rooted, path: str, text: str) -> None:
    """Writes a file into a folder that a stage3 may have as a file, where Portage takes either: that is kept in it."""
    folder = path.rpartition("/")[0]
    if tree.is_file(folder):
        kept = tree.text(folder)
        tree.remove(folder)
        tree.write_text(f"{folder}/stage3", kept)
    tree.write_text(path, text)


def debian_mirror(context: Context) -> str | None:
    """The Debian mirror of the host's apt: mirror:// URLs of ebuilds resolve to it."""
    sources = debian.debian_sources(context, "any")
    return sources[0].split()[1].rstrip("/") if sources else None


def installed(root: Path) -> list[Package]:
    """The packages in the database of a root (/var/db/pkg, PMS 'installed package database'), sorted."""
    packages = []
    tree = Rooted(root)
    for folder in tree.glob("var/db/pkg/*/*"):
        category, full = folder.split("/")[-2:]
        if full.startswith(("-", ".")):
            # leftovers of a killed merge, and Portage's locks
            continue

        def text(name: str, folder: str = folder) -> str:
            file = f"{folder}/{name}"
            return tree.text(file).strip() if tree.is_file(file) else ""

        try:
            name, version = split_version(text("PF") or full)
        except ValueError as error:
            raise VerificationError(f"{root}: /{folder}: {error}") from error
        iuse = {flag.lstrip("+-") for flag in text("IUSE").split()}
        packages.append(
            Package(
                category=category,
                name=name,
                version=version,
                slot=text("SLOT").split("/")[0],
                repository=text("repository"),
                use=tuple(sorted(iuse & set(text("USE").split()))),
                licence=text("LICENSE"),
                size=int(text("SIZE")) if re.fullmatch(r"[0-9]{1,18}", text("SIZE")) else 0,
            )
        )
    return packages


def with_sources(packages: Iterable[Package], repositories: Mapping[str, Path]) -> list[Package]:
    """The packages with the files they are built from, as the Manifests of the repositories list them (GLEP 74), and
    with the CPE of metadata.xml."""
    return [
        _described(repositories[package.repository], package) if package.repository in repositories else package
        for package in packages
    ]


def _described(repository: Path, package: Package) -> Package:
    known = metadata.read(repository, package.atom)
    return replace(
        package,
        sources=_sources(repository, package),
        cpe=known.get("cpe") or "",
        upstream=known.repository or "",
    )


def _sources(repository: Path, package: Package) -> tuple[Source, ...]:
    """Those of a package's Manifest; where the repository has several versions of it, those named after this one."""
    tree, folder = Rooted(repository), f"{package.category}/{package.name}"
    found = []
    manifest = f"{folder}/Manifest"
    for line in tree.text(manifest).splitlines() if tree.is_file(manifest) else ():
        # a Manifest may be clearsigned, and have lines of other kinds; a name may hold a `#`
        match line.split():
            case ["DIST", name, _, *digests]:
                pairs = zip(digests[::2], digests[1::2], strict=False)
                found.append(Source(name, dict(pairs).get("SHA512", "")))
    if sum(name.endswith(".ebuild") for name in tree.names(folder)) > 1:
        version = re.sub(r"-r\d+$", "", package.version)
        found = [source for source in found if version in source.name]
    return tuple(sorted(found, key=lambda source: source.name))


def split_version(full: str) -> tuple[str, str]:
    """`name-1.2_p3-r4` as its name and its version (PMS 3.1.2, 3.2)."""
    match = re.fullmatch(r"(.+?)-(\d[\d.]*[a-z]?(?:_(?:alpha|beta|pre|rc|p)\d*)*(?:-r\d+)?)", full)
    if match is None:
        raise ValueError(f"not a package with a version: {full}")
    return match[1], match[2]
