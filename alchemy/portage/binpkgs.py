"""The binary packages of a build: which of the cached ones fit, and which of the new ones are kept.

The cache has packages/KEY/category/name-version/DIGEST/name-version-BUILD.gpkg.tar. KEY stands for whose code may have
made the packages (trust.chroot) and for the toolchain; DIGEST for the ebuild, eclasses, files and Manifest entries that
a package was made of (chroot/ebuild-digests.py), or for the stage3 that brought it along.

Nothing in a chroot can write there. Each build has a PKGDIR of its own, with copies of the packages whose DIGEST is
that of its own repositories, so that Portage finds no others. What emerge adds there is copied into the cache by us.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alchemy.context import Context
from alchemy.host import files
from alchemy.host.chroot import Chroot
from alchemy.host.rooted import Rooted
from alchemy.portage import settings, trust
from alchemy.portage.repositories import Repositories

SCRIPT = "chroot/ebuild-digests.py"

# What Portage itself does not compare when it decides whether a binary package fits.
_KEYED_BY = ("ARCH", "CHOST", "CFLAGS", "CXXFLAGS", "LDFLAGS")

_DIGEST = re.compile(r"[0-9a-f]{64}")
# a category, or a name with a version (PMS 3.1)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9+_.-]*")
_FILE = re.compile(rf"(?P<version>{_NAME.pattern})-\d+{re.escape(settings.BINPKG_SUFFIX)}")


@dataclass(frozen=True)
class Binpkgs:
    """The binary packages of one build: `folder` is its PKGDIR, `store` the part of the cache for builds like it.

    `stage3` is the identity of its stage3, `available` its repositories. `before` has the digests of the files of
    overlays/ when the build began.
    """

    store: Path
    folder: Path
    stage3: str
    available: Repositories
    before: Mapping[str, str]

    def inside(self, chroot: Chroot) -> Chroot:
        """The chroot with the PKGDIR in place."""
        return replace(chroot, binds={**chroot.binds, settings.BINPKGS: self.folder})

    @property
    def record(self) -> Path:
        """Tells the next build what the packages were made of, when this one was interrupted."""
        return self.folder.with_name(f"{self.folder.name}.json")

    @property
    def of_stage3(self) -> str:
        """The DIGEST of packages that the stage3 brought along."""
        return hashlib.sha256(f"stage3 {self.stage3}".encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        fetched = [str(path) for name, path in self.available.paths.items() if name not in self.available.local]
        return {"store": str(self.store), "stage3": self.stage3, "fetched": fetched, "before": dict(self.before)}


def folder(context: Context, name: str) -> Path:
    """The PKGDIR of the build `name`."""
    return context.work / "binpkgs" / name


def assemble(
    context: Context, inside: Chroot, stage3: str, available: Repositories, name: str, log: Path, *, apart: bool = False
) -> Binpkgs:
    """A PKGDIR for the build `name` with the cached packages that fit its repositories, and what an interrupted build
    of the same ones has left there.

    `inside` is a chroot in which Portage is configured, of the stage3 with that identity. Builds `apart` share packages
    only with those of the same name.
    """
    store = _store(context, inside, log, name if apart else "")
    packages = Binpkgs(store, folder(context, name), stage3, available, _files(available))
    _resume(context, inside, packages, log)
    files.remove(packages.folder)
    packages.folder.mkdir(parents=True)
    files.write_json(packages.record, packages.as_json())
    for package, digest in _digests(context, inside, _stored(store), log).items():
        _copy(store / package / digest, packages.folder, package)
    return packages


def add_stage3s(packages: Binpkgs) -> None:
    """Adds the cached packages that the stage3 brought along to the PKGDIR, of which nothing is to be kept then."""
    packages.record.unlink()
    for package in _stored(packages.store):
        _copy(packages.store / package / packages.of_stage3, packages.folder, package)


def keep(context: Context, inside: Chroot, packages: Binpkgs, log: Path) -> None:
    """Copies what emerge has added to the PKGDIR into the cache, but no package whose ebuild or eclasses were edited
    since the build began."""
    now = _files(packages.available)
    edited = {
        name.partition("/")[2]
        for name in now.keys() | packages.before.keys()
        if now.get(name) != packages.before.get(name)
    }
    found = list(_binary_packages(packages.folder))
    digests = _digests(context, inside, sorted({package for package, _ in found}), log)
    for package, file in found:
        concerned = (f"{_place(package)}/", "eclass/")
        if package in digests and not any(name.startswith(concerned) for name in edited):
            _put(packages, package, digests[package], file)
    packages.record.unlink(missing_ok=True)


def installed(root: Path) -> dict[str, str]:
    """The packages installed in a root, as `category/name-version`, each with the number of its merge."""
    tree = Rooted(root)
    entries = [entry.removeprefix("var/db/pkg/") for entry in tree.glob("var/db/pkg/*/*")]
    return {
        package: _value(tree, package, "COUNTER")
        for package in entries
        # anything else is what a killed merge leaves
        if all(_NAME.fullmatch(part) for part in package.split("/")) and _name(package.partition("/")[2])
    }


def as_installed(context: Context, inside: Chroot, packages: Binpkgs, stage3s: Mapping[str, str], log: Path) -> Chroot:
    """The chroot with a PKGDIR that has each package as it is installed there, and no others: an image that is
    installed from it has the versions that the build has resolved.

    `stage3s` is what was `installed` before the build. Of those packages, and of others without a binary package, one
    is made.
    """
    chosen = replace(packages, folder=folder(context, "image"))
    files.remove(chosen.folder)
    chosen.folder.mkdir(parents=True)
    there = installed(inside.root)
    ours = {f"{package} {file.name}": file for package, file in _binary_packages(packages.folder)}
    lacking = []
    for package, counter in there.items():
        if stage3s.get(package) == counter:
            complete = _copy(packages.store / package / packages.of_stage3, chosen.folder, package)
        else:
            build = _value(Rooted(inside.root), package, "BUILD_ID")
            file = ours.get(f"{package} {package.partition('/')[2]}-{build}{settings.BINPKG_SUFFIX}")
            complete = _copy(file, chosen.folder, package) if file else False
        if not complete:
            lacking.append(package)
    installing = chosen.inside(inside)
    if lacking:
        with context.log.step(f"system: packing {len(lacking)} packages of the stage3"):
            command = ["quickpkg", "--include-config=y", "--umask=0022", *(f"={package}" for package in lacking)]
            context.runner.run(installing.argv(command), log=log, what="quickpkg")
        digests = {package: packages.of_stage3 for package in lacking if stage3s.get(package) == there[package]}
        digests |= _digests(context, inside, [package for package in lacking if package not in digests], log)
        for package, file in _binary_packages(chosen.folder):
            if package in digests:
                _put(packages, package, digests[package], file)
    return installing


def _store(context: Context, inside: Chroot, log: Path, apart: str) -> Path:
    """The folder of the cache for the binary packages of builds like this one."""
    values = context.runner.capture(inside.argv(["portageq", "envvar", "-v", *_KEYED_BY]), log=log)
    compilers = context.runner.capture(
        inside.argv(["sh", "-c", "gcc -dumpfullversion; getconf GNU_LIBC_VERSION"]), log=log
    )
    profile = _profile(Rooted(inside.root), "etc/portage/make.profile")
    toolchain = hashlib.sha256(f"{values}{compilers}{profile}".encode()).hexdigest()[:16]
    return context.cache / "packages" / "-".join(filter(None, (trust.chroot(context), toolchain, apart)))


def _profile(tree: Rooted, path: str) -> str:
    """What names the profile: a link, or a folder with a file `parent` as Funtoo has it."""
    place = tree.place(path)
    if place is None:
        return ""
    return str(place.readlink()) if place.is_symlink() else files.digest(place)


def _resume(context: Context, inside: Chroot, packages: Binpkgs, log: Path) -> None:
    """Keeps what an interrupted build with the same stage3 and fetched repositories has made. With binhosts it may have
    left packages that were not verified yet."""
    if packages.record.exists() and not context.config.binhosts:
        left = json.loads(packages.record.read_text(encoding="utf-8"))
        if left == {**packages.as_json(), "before": left["before"]}:
            keep(context, inside, replace(packages, before=left["before"]), log)


def _files(available: Repositories) -> dict[str, str]:
    """The digests of the files of overlays/, by the name of their repository and their own."""
    return {
        f"{name}/{file}": entry
        for name, path in available.local.items()
        for file, entry in files.digest(path).files.items()
    }


def _digests(context: Context, inside: Chroot, packages: Sequence[str], log: Path) -> dict[str, str]:
    """The DIGEST of each package that the repositories in a chroot have."""
    if not packages:
        return {}
    printed = context.runner.capture(
        inside.argv(["python3", "-", *packages]),
        stdin=(context.root / SCRIPT).read_bytes(),
        log=log,
        what="looking for binary packages that fit",
    )
    answer = json.loads(printed)
    return {package: answer[package] for package in packages if _DIGEST.fullmatch(answer.get(package, ""))}


def _stored(store: Path) -> list[str]:
    return sorted(f"{path.parent.name}/{path.name}" for path in store.glob("*/*"))


def _binary_packages(folder: Path) -> Iterator[tuple[str, Path]]:
    """The binary packages of a PKGDIR, each as `category/name-version` and its file. A chroot can write anything there:
    a file of another name, and whatever is not a regular file, does not count."""
    for file in sorted(folder.glob("*/*/*")):
        category, name, match = file.parents[1].name, file.parent.name, _FILE.fullmatch(file.name)
        regular = file.is_file() and not any(path.is_symlink() for path in (file, *file.parents[:2]))
        if match and regular and _NAME.fullmatch(category) and _name(match["version"]) == name:
            yield f"{category}/{match['version']}", file


def _name(version: str) -> str | None:
    """The name in `name-version`; None when it has no version."""
    try:
        return settings.split_version(version)[0]
    except ValueError:
        return None


def _place(package: str) -> str:
    """The folder of a package in a PKGDIR, and in a repository: `category/name`."""
    category, _, version = package.partition("/")
    return f"{category}/{_name(version)}"


def _copy(source: Path, pkgdir: Path, package: str) -> bool:
    """Copies a binary package, or all of a folder, into a PKGDIR, where none of that name is; returns whether there was
    one."""
    files = [source] if source.is_file() else sorted(source.glob(f"*{settings.BINPKG_SUFFIX}"))
    for file in files:
        target = pkgdir / _place(package) / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copyfile(file, target)
    return bool(files)


def _put(packages: Binpkgs, package: str, digest: str, file: Path) -> None:
    """Copies a binary package into the cache, unless it is there."""
    target = packages.store / package / digest / file.name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        files.copy_whole(file, target, temporary=packages.store.with_name(f".{packages.store.name}-{file.name}.tmp"))


def _value(tree: Rooted, package: str, name: str) -> str:
    """What Portage's database of a root says in a file of a package; nothing when there is none."""
    path = f"var/db/pkg/{package}/{name}"
    return tree.text(path).strip() if tree.is_file(path) else ""
