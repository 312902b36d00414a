"""Whether an image is complete and sound by itself: its libraries, interpreters, owners and setuid programs.

A package that forgets to declare a library it links with is found here, and not by whoever boots the image.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment

from alchemy.errors import BuildError

# where the loader looks when nothing else is said (ld.so(8)), for 64 and 32 bits
_LIBRARIES = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")
_PROGRAMS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")

# What may be setuid or setgid, by the name of the program.
_SETUID = frozenset(
    {
        "chage", "chfn", "chsh", "expiry", "fusermount", "fusermount3", "gpasswd", "mount", "newgrp", "passwd", "ping",
        "su", "sudo", "umount", "unix_chkpwd",
    }
)  # fmt: skip


@dataclass(frozen=True)
class _Elf:
    """What the loader reads of a program or library (System V ABI, chapter 5)."""

    bits: int
    machine: str
    interpreter: str | None
    needed: tuple[str, ...]
    rpath: tuple[str, ...]
    runpath: tuple[str, ...]


def check(root: Path) -> None:
    """Raises BuildError that names all that is wrong with the image at `root`. Portage's database has to be in it."""
    found = [*_unresolved(root), *_shared_files(root)]
    if found:
        raise BuildError(
            "\n".join(["the image is not sound", *(f"  {line}" for line in found)]),
            hint="a library or interpreter belongs into the RDEPEND of the package that needs it",
        )


def _unresolved(root: Path) -> Iterator[str]:
    """Each program and library that lacks something, script without an interpreter, and setuid file of no right."""
    elves: dict[Path, _Elf | None] = {}
    configured = _loader_folders(root)
    for path in _files(root):
        shown = f"/{path.relative_to(root)}"
        mode = path.stat().st_mode
        if mode & (stat.S_ISUID | stat.S_ISGID) and path.name not in _SETUID:
            yield f"{shown}: is setuid or setgid"
        elf = _known(path, elves)
        if elf is None:
            interpreter = _interpreter(root, path) if mode & stat.S_IXUSR else None
            if interpreter is not None:
                yield f"{shown}: there is no {interpreter} to run it"
            continue
        if elf.interpreter and _resolve(root, elf.interpreter) is None:
            yield f"{shown}: there is no loader {elf.interpreter}"
        if elf.interpreter or elf.needed:
            for missing in sorted(_missing_libraries(root, path, elves, configured)):
                yield f"{shown}: there is no {missing}"


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_file() and not path.is_symlink():
                yield path


def _known(path: Path, elves: dict[Path, _Elf | None]) -> _Elf | None:
    """What `_read_elf` says of a file, read once."""
    if path not in elves:
        elves[path] = _read_elf(path)
    return elves[path]


def _read_elf(path: Path) -> _Elf | None:
    """The ELF file at `path`; None for any other, and for one that is not for the loader (an object, a core)."""
    with path.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            return None
        try:
            elf = ELFFile(file)
            if elf["e_type"] not in ("ET_EXEC", "ET_DYN"):
                return None
            tags: dict[str, list[str]] = {"DT_NEEDED": [], "DT_RPATH": [], "DT_RUNPATH": []}
            loader = None
            for segment in elf.iter_segments():
                if isinstance(segment, InterpSegment):
                    loader = segment.get_interp_name()
                for tag in segment.iter_tags() if isinstance(segment, DynamicSegment) else ():
                    if tag.entry.d_tag in tags:
                        value = getattr(tag, tag.entry.d_tag.removeprefix("DT_").lower())
                        tags[tag.entry.d_tag] += [value] if tag.entry.d_tag == "DT_NEEDED" else value.split(":")
        except ELFError as error:
            raise BuildError(f"{path}: cannot be read as ELF: {error}") from error
        needed, rpath, runpath = (tuple(tags[tag]) for tag in ("DT_NEEDED", "DT_RPATH", "DT_RUNPATH"))
        return _Elf(elf.elfclass, elf["e_machine"], loader, needed, rpath, runpath)


def _missing_libraries(root: Path, path: Path, elves: dict[Path, _Elf | None], configured: tuple[str, ...]) -> set[str]:
    """The libraries that the loader would not find for a program, or for a library that is opened by itself."""
    missing = set()
    seen: set[Path] = set()
    # each with the RPATHs of those that led to it
    waiting: list[tuple[Path, tuple[str, ...]]] = [(path, ())]
    while waiting:
        file, inherited = waiting.pop()
        elf = _known(file, elves)
        if elf is None or file in seen:
            continue
        seen.add(file)
        origin = f"/{file.parent.relative_to(root)}"
        # who opened a library out of a folder of its own finds its neighbours too; a vendor's program in /opt has a
        # wrapper that names its folder
        neighbours = (origin,) if not elf.interpreter or origin.startswith("/opt/") else ()
        rpath = (*_expanded(elf.rpath, origin), *inherited)
        said = _expanded(elf.runpath, origin) if elf.runpath else rpath
        folders = (*said, *neighbours, *configured, *_LIBRARIES)
        for name in elf.needed:
            target = _library(root, name, folders, elf, elves)
            if target is None:
                missing.add(name)
            else:
                waiting.append((target, rpath))
    return missing


def _expanded(folders: tuple[str, ...], origin: str) -> tuple[str, ...]:
    return tuple(folder.replace("$ORIGIN", origin).replace("${ORIGIN}", origin) for folder in folders)


def _library(
    root: Path, name: str, folders: tuple[str, ...], wants: _Elf, elves: dict[Path, _Elf | None]
) -> Path | None:
    for candidate in [name] if "/" in name else [f"{folder}/{name}" for folder in folders]:
        path = _resolve(root, candidate)
        if path is not None and path.is_file():
            elf = _known(path, elves)
            if elf is not None and (elf.bits, elf.machine) == (wants.bits, wants.machine):
                return path
    return None


def _loader_folders(root: Path) -> tuple[str, ...]:
    """The folders of /etc/ld.so.conf and what it includes (ldconfig(8))."""
    files = [root / "etc/ld.so.conf", *sorted((root / "etc/ld.so.conf.d").glob("*.conf"))]
    lines = [line.split("#")[0].strip() for file in files if file.is_file() for line in file.read_text().splitlines()]
    return tuple(line for line in lines if line.startswith("/"))


def _interpreter(root: Path, path: Path) -> str | None:
    """What a script names behind `#!` and the image lacks; None when it is there, or this is no script."""
    with path.open("rb") as file:
        first = file.readline(256)
    words = first[2:].decode(errors="replace").split() if first.startswith(b"#!") else []
    if not words:
        return None
    if _resolve(root, words[0]) is None:
        return words[0]
    if PurePosixPath(words[0]).name == "env":
        name = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), None)
        if name and not any(_resolve(root, f"{folder}/{name}") for folder in _PROGRAMS):
            return name
    return None


def _resolve(root: Path, inside: str) -> Path | None:
    """The file that a path names in the image, its links followed inside the image; None when it isn't there."""
    parts = [part for part in PurePosixPath(inside).parts if part != "/"]
    path = root
    for _ in range(256):
        if not parts:
            return path if path.exists() else None
        part = parts.pop(0)
        if part == "..":
            path = path.parent if path != root else root
        elif (path / part).is_symlink():
            target = PurePosixPath((path / part).readlink())
            if target.is_absolute():
                path = root
            parts[:0] = [step for step in target.parts if step != "/"]
        elif part != ".":
            path = path / part
    return None


def _shared_files(root: Path) -> Iterator[str]:
    """Each file that two packages own, by the CONTENTS of Portage's database (PMS, 'installed package database')."""
    owners: dict[Path, str] = {}
    for contents in sorted((root / "var/db/pkg").glob("*/*/CONTENTS")):
        package = f"{contents.parent.parent.name}/{contents.parent.name}"
        for line in contents.read_text(encoding="utf-8").splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "obj":
                name = rest.rsplit(" ", 2)[0]
            elif kind == "sym":
                name = rest.split(" -> ", 1)[0]
            else:
                continue
            # /bin/ip and /usr/bin/ip are one file where /bin is a link
            folder = _resolve(root, str(PurePosixPath(name).parent))
            path = (folder or root) / PurePosixPath(name).name
            if owners.setdefault(path, package) != package:
                yield f"{name}: belongs to {owners[path]} and to {package}"
