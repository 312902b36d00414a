"""Tarballs of others: looked through before anything is unpacked, and unpacked where nothing else can be written."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import posixpath
import re
import shutil
import stat
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import zstandard

from alchemy.context import Context
from alchemy.errors import VerificationError
from alchemy.host import chroot, files, tarmembers
from alchemy.host.tarmembers import Kind, Member

# How much larger than the tarball its content may be, and how large at most: a stage3 in xz is near 1:5.
_MOST_TIMES = 200
_MOST_BYTES = 64 << 30
_SMALL_BYTES = 64 << 20  # no harm, whatever the ratio

# what tar needs of capabilities(7) to restore owners, modes, devices and file capabilities
_TAR = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "MKNOD", "SETFCAP")

# a stage3 and a kernel have about 100 000 each
_MOST_FILES = 2_000_000

# the number of links that Linux follows in a path (path_resolution(7))
_MOST_LINKS = 40

# null, zero, full, random, urandom and kmsg; the consoles and terminals (Documentation/admin-guide/devices.txt)
_HARMLESS = frozenset((1, minor) for minor in (3, 5, 7, 8, 9, 11))
_HARMLESS_MAJORS = (4, 5)

# where programs are, those that others start too
_PROGRAMS = re.compile(r"(?:usr/(?:local/)?)?(?:s?bin|lib(?:32|64|x32|exec)?)/")

_BROKEN = (lzma.LZMAError, zstandard.ZstdError, zlib.error, EOFError, OSError, ValueError)


_OPENERS: dict[bytes, Callable[[Path], IO[bytes]]] = {
    b"\xfd7zXZ\0": lzma.open,
    b"\x28\xb5\x2f\xfd": zstandard.open,
    b"\x1f\x8b": gzip.open,  # type: ignore[dict-item]  # read as bytes unless another mode is given
    b"BZh": bz2.open,
}


@dataclass(frozen=True)
class Content:
    """What a tarball is of: how it is unpacked, and whether it may have devices and setuid programs."""

    options: tuple[str, ...]
    system: bool


# A root. Others of the extended attributes (trusted.*, security.ima …) mean something to the host.
STAGE3 = Content(
    ("--numeric-owner", "--xattrs", "--xattrs-include=user.*", "--xattrs-include=security.capability"), system=True
)
# A source, in a folder of its own.
SOURCE = Content(("--strip-components=1", "--no-same-owner", "--no-same-permissions"), system=False)


def check(context: Context, path: Path, what: str) -> None:
    """Reads a whole tarball without unpacking it.

    Raises VerificationError when it is broken or not plain, when a member could write outside of the folder it is
    unpacked to, when there is a device outside of dev/, and when it would grow beyond all measure. `what` names it in
    messages.
    """
    limit = _limit(path)
    seen = _Members(what)
    try:
        with _decompressed(path) as content:
            for member in tarmembers.members(_Bounded(content, limit, what, context)):
                seen.check(member)
    except tarmembers.RefusedError as error:
        raise VerificationError(f"{what}: refused: {error}") from error
    except _BROKEN as error:
        raise VerificationError(f"{what}: truncated or corrupt tarball: {error}") from error
    if not seen.names:
        raise VerificationError(f"{what}: is an empty tarball")


def decompress(context: Context, path: Path, target: Path, what: str, *, most: int) -> None:
    """Writes the tar in a tarball, of at most `most` bytes, to `target`. Raises VerificationError as check
    does."""
    try:
        with _decompressed(path) as content, target.open("wb") as file:
            shutil.copyfileobj(_Bounded(content, min(most, _limit(path)), what, context), file, 1 << 20)
    except _BROKEN as error:
        raise VerificationError(f"{what}: truncated or corrupt tarball: {error}") from error


def of(folder: Path) -> Path:
    """Returns the tarball that is the output of a stage."""
    return next(folder.glob("*.tar.*"))


def unpack(context: Context, path: Path, target: Path, log: Path, what: str, content: Content = STAGE3) -> None:
    """Unpacks a tarball as root into the folder `target`, a stage3 with owners, file capabilities and `user.*`
    attributes, and checks the result before anything else touches it.

    Nothing but that folder can be written by it. Raises BuildError, and VerificationError as judge does: nothing of the
    tarball stays then.
    """
    target.mkdir(parents=True, exist_ok=True)
    sandbox: list[str | Path] = [*chroot.confined(_TAR), "--ro-bind", "/", "/", "--bind", target, target]
    sandbox += ["--unshare-net", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--"]
    tar: list[str | Path] = ["tar", "--extract", *content.options]
    context.runner.run([*sandbox, *tar, "--directory", target, "--file", path], log=log, what=f"unpacking {what}")
    try:
        judge(target, what, content, _limit(path))
    except VerificationError:
        files.remove(target)
        raise


def judge(root: Path, what: str, content: Content, most: int) -> None:
    """Checks the files that a tarball left in a folder, without following its links.

    Raises VerificationError for a device that is not one of the harmless ones in dev/, a setuid or setgid file that is
    not a program of root's, a relative link that climbs above the root, a name with control characters, and for more
    than `most` bytes or _MOST_FILES files.
    """
    size = 0
    for count, (inside, status) in enumerate(_laid(root), 1):
        size += status.st_size if stat.S_ISREG(status.st_mode) else 0
        problem = _problem(root, inside, status, content)
        if problem is not None:
            raise VerificationError(f"{what}: refused: {f'/{inside}'!r}: {problem}")
        if size > most:
            raise VerificationError(f"{what}: {_bomb(most)}")
        if count > _MOST_FILES:
            raise VerificationError(f"{what}: refused: unpacks to more than {_MOST_FILES} files")


def _laid(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """All that is below a folder, with its status, a link's own."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                inside = f"{folder}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{inside}/")
                yield inside, entry.stat(follow_symlinks=False)


def _problem(root: Path, inside: str, status: os.stat_result, content: Content) -> str | None:
    """Why a file that was unpacked must not be there; None when it may."""
    mode = status.st_mode
    if tarmembers.CONTROL.search(inside):
        return "a control character in its name"
    if stat.S_ISBLK(mode):
        return "a block device"
    if stat.S_ISCHR(mode):
        device = (os.major(status.st_rdev), os.minor(status.st_rdev))
        harmless = device[0] in _HARMLESS_MAJORS or device in _HARMLESS
        if not (content.system and inside.startswith("dev/") and harmless):
            return f"a device (expected none but consoles, null and its like, in dev/; got {device[0]}:{device[1]})"
    elif stat.S_ISLNK(mode):
        if _climbs(root, root / inside):
            return f"a link that leads out of the root, to {str((root / inside).readlink())!r}"
    elif not stat.S_ISDIR(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
        program = content.system and stat.S_ISREG(mode) and _PROGRAMS.match(inside)
        if not program or status.st_uid != 0:
            return "setuid or setgid (expected only for programs of root's in bin, sbin, lib and libexec)"
    return None


def _climbs(root: Path, link: Path) -> bool:
    """Whether a relative link, followed as in a chroot at `root`, asks for the folder above the root."""
    target = link.readlink()
    if target.is_absolute():
        return False
    folder, parts, links = link.parent, list(target.parts), 0
    while parts:
        part = parts.pop(0)
        if part == "/":
            folder = root
        elif part == "..":
            if folder == root:
                return True
            folder = folder.parent
        elif (folder / part).is_symlink():
            links += 1
            if links > _MOST_LINKS:
                return False
            parts[:0] = (folder / part).readlink().parts
        else:
            folder = folder / part
    return False


class _Members:
    """Judges the members of a tarball in their order."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.names: dict[str, Member] = {}

    def check(self, member: Member) -> None:
        if member.name.startswith("/"):
            self._refuse(member, "has an absolute path")
        parts = member.name.removeprefix("./").removesuffix("/").split("/")
        if ".." in parts:
            self._refuse(member, "leads out of the root")
        name = "/".join(parts)
        if name in ("", "."):
            name = "."
            if member.kind is not Kind.FOLDER:
                self._refuse(member, "takes the place of the root")
        elif {"", "."} & set(parts):
            self._refuse(member, "has a name that is not plain")
        for count in range(1, len(parts)):
            above = self.names.get("/".join(parts[:count]))
            if above is not None and above.kind is Kind.LINK:
                to = "an absolute path" if above.target.startswith("/") else above.target
                self._refuse(member, f"is reached over a link to {to}")
            if above is not None and above.kind is not Kind.FOLDER:
                self._refuse(member, "is below a file that is not a folder")
        if name in self.names and not self.names[name].kind is member.kind is Kind.FOLDER:
            self._refuse(member, "is a duplicate")
        self._check_kind(member, name, parts)
        self.names[name] = member
        if len(self.names) > _MOST_FILES:
            raise VerificationError(f"{self._what}: refused: has more than {_MOST_FILES} members")

    def _check_kind(self, member: Member, name: str, parts: list[str]) -> None:
        if member.kind is Kind.LINK:
            # an absolute one means a file of the chroot, where it is fine: on the host nobody follows it
            leads = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.target))
            if not member.target.startswith("/") and leads.split("/")[0] == "..":
                self._refuse(member, f"is a link that leads out of the root, to {member.target}")
        elif member.kind is Kind.HARD_LINK:
            # normpath would take away a `..`, whatever is before it
            target = self.names.get(member.target.removeprefix("./"))
            if target is None or target.kind not in (Kind.FILE, Kind.HARD_LINK):
                self._refuse(member, f"is a hard link to {member.target}, which is not a file of the tarball")
        elif member.kind in (Kind.CHARACTER_DEVICE, Kind.BLOCK_DEVICE) and (parts[0] != "dev" or len(parts) < 2):
            self._refuse(member, "is a device outside of dev/")

    def _refuse(self, member: Member, why: str) -> None:
        raise VerificationError(f"{self._what}: refused: its member {member.name} {why}")


class _Bounded(io.RawIOBase):
    """What is read from a stream, up to a limit."""

    def __init__(self, stream: IO[bytes], limit: int, what: str, context: Context) -> None:
        super().__init__()
        self._stream = stream
        self._left = limit
        self._message = f"{what}: {_bomb(limit)}"
        self._context = context

    def read(self, size: int = -1, /) -> bytes:
        self._context.runner.check()
        block = self._stream.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise VerificationError(self._message)
        return block


def _limit(path: Path) -> int:
    """How many bytes a tarball may hold."""
    return min(_MOST_BYTES, max(_SMALL_BYTES, _MOST_TIMES * path.stat().st_size))


def _bomb(limit: int) -> str:
    return f"refused: unpacks to more than {limit >> 20} MiB, which is out of all proportion"


def _decompressed(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        begin = file.read(8)
    for magic, opener in _OPENERS.items():
        if begin.startswith(magic):
            return opener(path)
    raise ValueError("it begins like none of xz, zstd, gzip and bzip2")
