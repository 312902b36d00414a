"""Prints a digest of what each of the given packages is made of, as a JSON object: `category/name-version` -> SHA-256.

Runs in the build chroot, with Portage's own Python modules: which repository a version comes from, what it inherits
and which sources it names is what Portage makes of it. A package that no repository has, or whose ebuild is broken,
is left out. A package of kernel modules is made of the kernel in KERNEL_DIR too.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import portage

# the eclasses with which modules are compiled
MODULES = {"linux-mod", "linux-mod-r1"}

# what of a kernel decides whether a module fits: its release, its configuration, and its symbols
KERNEL = ("include/config/kernel.release", ".config", "Module.symvers")


def digest(
    repository: str, ebuild: Path, eclasses: Iterable[Path], sources: Iterable[str], kernel: Iterable[bytes]
) -> str:
    """The SHA-256 of an ebuild's text, the eclasses that it inherits, its files/, the entries of its Manifest that are
    about any of them or about one of its `sources`, and the digests of what it takes of a `kernel`."""
    total = hashlib.sha256(f"{repository}\0{ebuild.name}\0".encode())
    files = sorted(path for path in (ebuild.parent / "files").rglob("*") if path.is_symlink() or path.is_file())
    for path in (ebuild, *sorted(eclasses, key=lambda path: path.name), *files):
        name = str(path.relative_to(ebuild.parent)) if path in files else path.name
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        total.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\0".encode())
    for entry in entries(ebuild, sources):
        total.update(entry + b"\n")
    for part in kernel:
        total.update(part)
    return total.hexdigest()


def entries(ebuild: Path, sources: Iterable[str]) -> Iterator[bytes]:
    """The lines of a Manifest (GLEP 74) that are about an ebuild, its files/ or its sources."""
    manifest = ebuild.parent / "Manifest"
    wanted = {b"DIST": {name.encode() for name in sources}, b"EBUILD": {ebuild.name.encode()}}
    for line in sorted(manifest.read_bytes().splitlines()) if manifest.exists() else ():
        words = line.split()
        if len(words) > 1 and (words[0] == b"AUX" or words[1] in wanted.get(words[0], ())):
            yield b" ".join(words)


def of_kernel(inherited: Iterable[str]) -> Iterator[bytes]:
    """What a package that inherits these eclasses is made of besides its ebuild."""
    folder = os.environ.get("KERNEL_DIR")
    for path in (Path(folder, name) for name in KERNEL) if folder and MODULES.intersection(inherited) else ():
        yield hashlib.sha256(path.read_bytes()).digest() if path.exists() else b""


def known(database: portage.dbapi.porttree.portdbapi, package: str) -> str | None:
    """The digest of one package; None for one that Portage does not know."""
    path, tree = database.findname2(package)
    if not path:
        return None
    try:
        (inherited,) = database.aux_get(package, ["INHERITED"], mytree=tree)
        sources = database.getFetchMap(package, mytree=tree)
    except (KeyError, portage.exception.PortageException):
        return None
    repository = database.repositories.get_repo_for_location(tree)
    available = repository.eclass_db.eclasses
    names = inherited.split()
    eclasses = [Path(available[name].location) for name in names]
    return digest(repository.name, Path(path), eclasses, sources, of_kernel(names))


def main() -> None:
    database = portage.db[portage.root]["porttree"].dbapi
    found = {package: known(database, package) for package in sys.argv[1:]}
    print(json.dumps({package: value for package, value in found.items() if value is not None}))


if __name__ == "__main__":
    main()
