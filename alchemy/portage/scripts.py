"""Scripts of a root tree that lack their interpreter. Packages bring them along for systems that have more."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from alchemy.host.rooted import Rooted
from alchemy.portage import contents

PROGRAMS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")

_LONGEST_LINE = 256  # BINPRM_BUF_SIZE: the kernel reads no more


@dataclass(frozen=True)
class Script:
    """A script by its path in the image, with the interpreter that it asks for, and the package that owns it, as
    `category/name-version`; empty where none does."""

    path: str
    interpreter: str
    package: str

    def as_json(self) -> dict[str, str]:
        """Returns its entry in manifest.json."""
        return asdict(self)


def without_interpreter(root: Path) -> list[Script]:
    """Returns the executable scripts of a root tree whose interpreter it lacks, by their paths."""
    tree = Rooted(root)
    found = {path: missing_interpreter(root, path) for path in _executables(root)}
    lacking = {path: interpreter for path, interpreter in found.items() if interpreter is not None}
    owners = {file.path: file.package for file in contents.owned(tree)} if lacking else {}
    return [
        Script(f"/{path.relative_to(root)}", interpreter, owners.get(path, ""))
        for path, interpreter in sorted(lacking.items())
    ]


def leave_out(root: Path) -> list[Script]:
    """Removes the scripts that lack their interpreter, and the links to them; returns the scripts.

    A script may be the interpreter of another one: that goes, too.
    """
    left_out: list[Script] = []
    while lacking := without_interpreter(root):
        tree, gone = Rooted(root), {root / script.path.lstrip("/") for script in lacking}
        links = [link for link in _links(root) if tree.resolve(f"/{link.relative_to(root)}") in gone]
        for path in (*gone, *links):
            path.unlink()
        left_out += lacking
    return sorted(left_out, key=lambda script: script.path)


def missing_interpreter(root: Path, path: Path) -> str | None:
    """Returns the interpreter of a script that the root tree lacks; None where it is there, and for other files."""
    with path.open("rb") as file:
        first = file.readline(_LONGEST_LINE)
    words = first[2:].decode(errors="replace").split() if first.startswith(b"#!") else []
    if not words:
        return None
    tree = Rooted(root)
    if tree.resolve(words[0]) is None:
        return words[0]
    if PurePosixPath(words[0]).name == "env":
        name = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), None)
        if name and find(tree, name) is None:
            return name
    return None


def owners(root: Path, interpreters: Collection[str]) -> dict[str, str]:
    """Returns the packages, as `category/name-version`, that own interpreters in a root tree; those without an owner
    are left out."""
    tree = Rooted(root)
    found = {interpreter: find(tree, interpreter) for interpreter in interpreters}
    packages = {file.path: file.package for file in contents.owned(tree)}
    return {name: packages[path] for name, path in found.items() if path is not None and path in packages}


def find(tree: Rooted, program: str) -> Path | None:
    """Returns the file that runs as `program`, a path or a name, in a root tree; None where there is none."""
    places = [program] if program.startswith("/") else [f"{folder}/{program}" for folder in PROGRAMS]
    return next((found for found in map(tree.resolve, places) if found is not None), None)


def _executables(root: Path) -> Iterator[Path]:
    for path in _walk(root):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode) and mode & stat.S_IXUSR:
            yield path


def _links(root: Path) -> Iterator[Path]:
    return (path for path in _walk(root) if path.is_symlink())


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders.sort()
        yield from (Path(folder) / name for name in sorted(names))
