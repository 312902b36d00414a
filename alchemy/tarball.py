"""Tarballs of others: looked through before anything is unpacked, and unpacked where nothing else can be written."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import posixpath
import shutil
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

import zstandard

from alchemy.context import Context
from alchemy.errors import VerificationError

# How much larger than the tarball its content may be, and how large at most: a stage3 in xz is near 1:5.
_MOST_TIMES = 200
_MOST_BYTES = 64 << 30
_SMALL_BYTES = 64 << 20  # no harm, whatever the ratio

_BROKEN = (tarfile.TarError, lzma.LZMAError, zstandard.ZstdError, zlib.error, EOFError, OSError, ValueError)


_OPENERS: dict[bytes, Callable[[Path], IO[bytes]]] = {
    b"\xfd7zXZ\0": lzma.open,
    b"\x28\xb5\x2f\xfd": zstandard.open,
    b"\x1f\x8b": gzip.open,  # type: ignore[dict-item]  # read as bytes unless another mode is given
    b"BZh": bz2.open,
}


def check(context: Context, path: Path, what: str) -> None:
    """Reads a whole tarball without unpacking it.

    Raises VerificationError when it is broken, when a member could write outside of the folder it is unpacked to, when
    there is a device outside of dev/, and when it would grow beyond all measure. `what` names it in messages.
    """
    limit = _limit(path)
    members = _Members(what)
    try:
        with (
            _decompressed(path) as content,
            tarfile.open(fileobj=_Bounded(content, limit, what, context), mode="r|") as tar,
        ):
            claimed = 0
            for member in tar:
                members.check(member)
                claimed += member.size
                if claimed > limit:
                    raise VerificationError(f"{what}: {_bomb(limit)}")
                # tarfile keeps a list of all
                tar.members = []  # type: ignore[attr-defined]  # which the stubs lack
    except _BROKEN as error:
        raise VerificationError(f"{what}: is no whole tarball: {error}") from error
    if not members.seen:
        raise VerificationError(f"{what}: is an empty tarball")


def decompress(context: Context, path: Path, target: Path, what: str) -> None:
    """Writes what a tarball holds, which is a tar, to `target`. Raises VerificationError as check does."""
    try:
        with _decompressed(path) as content, target.open("wb") as file:
            shutil.copyfileobj(_Bounded(content, _limit(path), what, context), file, 1 << 20)
    except _BROKEN as error:
        raise VerificationError(f"{what}: is no whole tarball: {error}") from error


def unpack(context: Context, path: Path, target: Path, log: Path, what: str) -> None:
    """Unpacks a tarball as root into the new folder `target`, with owners, extended attributes and capabilities.

    Nothing but that folder can be written by it. Raises BuildError.
    """
    target.mkdir(parents=True)
    sandbox: list[str | Path] = ["bwrap", "--ro-bind", "/", "/", "--bind", target, target]
    sandbox += ["--unshare-net", "--unshare-pid", "--unshare-ipc", "--die-with-parent"]
    tar: list[str | Path] = ["tar", "--extract", "--numeric-owner", "--xattrs", "--xattrs-include=*.*"]
    context.runner.run([*sandbox, *tar, "--directory", target, "--file", path], log=log, what=f"unpacking {what}")


class _Members:
    """Judges the members of a tarball in their order."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.seen = False
        self._files: set[str] = set()
        self._outward: set[str] = set()

    def check(self, member: tarfile.TarInfo) -> None:
        self.seen = True
        name = posixpath.normpath(member.name)
        if member.name.startswith("/"):
            self._refuse(member, "has an absolute path")
        if ".." in member.name.split("/"):
            self._refuse(member, "leads out of the root")
        folders = name.split("/")[:-1]
        if any("/".join(folders[: count + 1]) in self._outward for count in range(len(folders))):
            self._refuse(member, "lies behind a link to an absolute path")
        self._outward.discard(name)
        if member.issym():
            self._check_link(member, name)
        elif member.islnk():
            if posixpath.normpath(member.linkname) not in self._files:
                self._refuse(member, f"is a hard link to {member.linkname}, which is no file of the tarball")
            self._files.add(name)
        elif member.ischr() or member.isblk():
            if folders[:1] != ["dev"]:
                self._refuse(member, "is a device outside of dev/")
        elif member.isfile():
            self._files.add(name)
        elif not (member.isdir() or member.isfifo()):
            self._refuse(member, "is of an unknown type")

    def _check_link(self, member: tarfile.TarInfo, name: str) -> None:
        self._files.discard(name)
        if member.linkname.startswith("/"):
            # means a file of the chroot, where it is fine, but on the host it leads elsewhere
            self._outward.add(name)
        elif posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname)).split("/")[0] == "..":
            self._refuse(member, f"is a link that leads out of the root, to {member.linkname}")

    def _refuse(self, member: tarfile.TarInfo, why: str) -> None:
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
    raise tarfile.ReadError("it begins like none of xz, zstd, gzip and bzip2")
