"""Whether an image is complete and sound by itself: its libraries, interpreters, owners and setuid programs.

A package that forgets to declare a library it links with is found here, and not by whoever boots the image.
"""

from __future__ import annotations

import errno
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
from alchemy.host.rooted import Rooted
from alchemy.portage import contents, scripts

# where the loader looks when nothing else is said (ld.so(8)), for 64 and 32 bits
_LIBRARIES = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")

# What may be setuid or setgid, or have file capabilities: these programs, in the folders of programs.
_PRIVILEGED = frozenset(
    {
        "chage", "chfn", "chsh", "expiry", "fusermount", "fusermount3", "gpasswd", "mount", "newgrp", "passwd", "ping",
        "su", "sudo", "umount", "unix_chkpwd",
    }
)  # fmt: skip
_CAPABILITY = "security.capability"  # xattr(7), capabilities(7)
_NET_RAW = 1 << 13

# what a message has of a defect, and the remedy
_REMEDIES = (
    ("missing library", "add the package of the library to a set, or to the RDEPEND of the package that needs it"),
    (
        "of 32 bits",
        "for 32 bits, build sys-libs/glibc with USE=multilib and the packages of the libraries with USE=abi_x86_32 "
        "(etc/portage/package.use); the embedded tree has sys-libs/i386-runtime instead",
    ),
)


# What pyelftools raises for a malformed file: its own errors, and whatever its code meets.
_MALFORMED = (
    ELFError, ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, OSError, TypeError, ValueError,
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


def check(root: Path, chroot: Path | None = None) -> None:
    """Raises BuildError that names every defect of the root tree at `root`, which must contain Portage's database.

    A missing library is looked for in the build chroot, to name its package.
    """
    elves: dict[Path, _Elf | None] = {}
    found = [*_unresolved(root, elves), *_without_libraries(root, chroot, elves), *_shared_files(root)]
    if found:
        said = "\n".join(["the image is not sound", *(f"  {line}" for line in found)])
        raise BuildError(said, hint="; ".join(remedy for sign, remedy in _REMEDIES if sign in said) or None)


def _unresolved(root: Path, elves: dict[Path, _Elf | None]) -> Iterator[str]:
    """Each program that lacks its loader, script without an interpreter, and privileged program that is not on the
    list."""
    for path in _files(root):
        shown = f"/{path.relative_to(root)}"
        mode = path.stat().st_mode
        listed = path.name in _PRIVILEGED and str(PurePosixPath(shown).parent) in scripts.PROGRAMS
        if _is_privileged(path) and not listed:
            yield f"{shown}: setuid, setgid or with file capabilities, and not on the list of programs that may be"
        elf = _known(path, elves)
        if elf is None:
            interpreter = scripts.missing_interpreter(root, path) if mode & stat.S_IXUSR else None
            if interpreter is not None:
                yield f"{shown}: missing interpreter {interpreter}"
            continue
        if elf.interpreter and Rooted(root).resolve(elf.interpreter) is None:
            of = " (expected a C library of 32 bits)" if elf.bits == 32 else ""
            yield f"{shown}: missing loader {elf.interpreter}{of}"


def _without_libraries(root: Path, chroot: Path | None, elves: dict[Path, _Elf | None]) -> Iterator[str]:
    """Each program and library that lacks a library, with the package of the build chroot that has it."""
    lacking = [(path, name, bits(path)) for path, name in _lacking(root, elves)]
    owners = _owners(chroot, {name for _, name, _ in lacking}) if chroot and lacking else {}
    for path, name, wide in lacking:
        of = f" of {wide} bits" if wide == 32 else ""
        has_it = f" (it is in {owners[name, wide]})" if (name, wide) in owners else ""
        yield f"/{path.relative_to(root)}: missing library {name}{of}{has_it}"


def _owners(chroot: Path, names: set[str]) -> dict[tuple[str, int], str]:
    """Returns the packages of a build chroot that have libraries of these names, by name and bits."""
    tree = Rooted(chroot)
    found = {}
    for file in contents.owned(tree):
        path = tree.resolve(file.path.relative_to(chroot)) if file.path.name in names else None
        if path is not None and path.is_file():
            found[file.path.name, bits(path)] = file.package
    return found


def missing_libraries(root: Path) -> Iterator[tuple[Path, str]]:
    """Returns each program and library of a root tree with each library that the loader would not find for it."""
    return _lacking(root, {})


def bits(path: Path) -> int:
    """Returns how many bits an ELF file has, by its fifth byte (EI_CLASS: 1 is 32, 2 is 64); 64 for any other file."""
    with path.open("rb") as file:
        return 32 if file.read(5) == b"\x7fELF\x01" else 64


def _lacking(root: Path, elves: dict[Path, _Elf | None]) -> Iterator[tuple[Path, str]]:
    configured = loader_folders(root)
    for path in _files(root):
        elf = _known(path, elves)
        if elf is not None and (elf.interpreter or elf.needed):
            for name in sorted(_missing_libraries(root, path, elves, configured)):
                yield path, name


def _is_privileged(path: Path) -> bool:
    """Whether a program gives whoever runs it more rights than to send raw packets, as ping and mtr do."""
    return bool(path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)) or _capabilities(path) & ~_NET_RAW != 0


def _capabilities(path: Path) -> int:
    """The permitted set of a file's capabilities, a bit for each: of struct vfs_cap_data (linux/capability.h)."""
    try:
        data = os.getxattr(path, _CAPABILITY, follow_symlinks=False)
    except OSError as error:
        # it has none, or the file system has no attributes
        if error.errno not in (errno.ENODATA, errno.ENOTSUP):
            raise
        return 0
    return int.from_bytes(data[4:8], "little") | int.from_bytes(data[12:16], "little") << 32


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
        except _MALFORMED as error:
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
        path = Rooted(root).resolve(candidate)
        if path is not None and path.is_file():
            elf = _known(path, elves)
            if elf is not None and (elf.bits, elf.machine) == (wants.bits, wants.machine):
                return path
    return None


def loader_folders(root: Path) -> tuple[str, ...]:
    """Returns the folders of /etc/ld.so.conf and of the files that it includes (ldconfig(8))."""
    tree = Rooted(root)
    files = ["etc/ld.so.conf", *tree.glob("etc/ld.so.conf.d/*.conf")]
    return tuple(line for file in files for line in tree.lines(file) if line.startswith("/"))


def _shared_files(root: Path) -> Iterator[str]:
    """Each file that two packages own, by the CONTENTS of Portage's database (PMS, 'installed package database')."""
    owners: dict[Path, str] = {}
    for file in contents.owned(Rooted(root)):
        owner = owners.setdefault(file.path, file.package)
        if owner != file.package:
            yield f"{file.name}: belongs to {owner} and to {file.package}"
