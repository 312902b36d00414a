"""Files of a tree that others filled: its links lead where they would in a chroot, and never out of the tree.

Whoever fills a stage3, an ebuild repository, a kernel source or an image may leave a link in it to any file of the
host. So no path in such a tree is handed to the host as it is: openat2(2) resolves it below the root of the tree first.
No process of the tree's authors runs meanwhile, so a resolved path stays valid.
"""

from __future__ import annotations

import ctypes
import errno
import fnmatch
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import BinaryIO

from alchemy.errors import UserError, VerificationError
from alchemy.host import files

_OPENAT2 = 437  # on all architectures but alpha (include/uapi/asm-generic/unistd.h)
_NO_MAGICLINKS, _NO_SYMLINKS, _IN_ROOT = 0x02, 0x04, 0x10  # RESOLVE_… of linux/openat2.h

# A rename anywhere on the host makes the kernel give up on a `..`, and the caller has to try again (openat2(2)).
_TRIES = 1000

# how many bytes a file may have that is read into memory
_MOST = 64 << 20

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)

_LIBC = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    """struct open_how of linux/openat2.h."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


@dataclass(frozen=True)
class Rooted:
    """The tree at `root`. Paths in it are relative to the root, with or without a leading slash.

    Raises VerificationError, with the path as the tree has it, when a file has the wrong type, and UserError on a
    kernel without openat2(2).
    """

    root: Path

    def resolve(self, inside: str | PurePath, *, links: bool = True) -> Path | None:
        """Returns the host's path, free of links, that a path leads to; None when nothing is there. Without `links` a
        path that has one leads to nothing either."""
        return self._look(inside, 0, links=links)

    def place(self, inside: str | PurePath) -> Path | None:
        """The host's path of a path's last component, which may be a link or missing, in its resolved folder; None when
        the folder is missing."""
        path = self._path(inside)
        if path.name in ("", ".."):
            raise VerificationError(self._message(path, "does not name a file below the root"))
        folder = self._look(path.parent, os.O_DIRECTORY)
        return None if folder is None else folder / path.name

    def lstat(self, inside: str | PurePath) -> os.stat_result | None:
        """The status of a path's last component, a link's own; None when it is missing."""
        place = self._look(inside, os.O_NOFOLLOW)
        return None if place is None else place.lstat()

    def is_file(self, inside: str | PurePath) -> bool:
        """Whether a path leads to a regular file."""
        path = self.resolve(inside)
        return path is not None and stat.S_ISREG(path.lstat().st_mode)

    def is_dir(self, inside: str | PurePath) -> bool:
        """Whether a path leads to a folder."""
        return self._look(inside, os.O_DIRECTORY) is not None

    def names(self, inside: str | PurePath) -> list[str]:
        """Returns the sorted names in a folder; empty when there is no such folder."""
        folder = self._look(inside, os.O_DIRECTORY)
        return [] if folder is None else sorted(os.listdir(folder))  # noqa: PTH208 (names are wanted)

    def glob(self, pattern: str) -> list[str]:
        """The paths that match a pattern (fnmatch, one for each component), sorted by component."""
        found = [""]
        for part in pattern.strip("/").split("/"):
            found = [
                f"{folder}/{name}".lstrip("/")
                for folder in found
                for name in (self.names(folder) if set(part) & set("*?[") else [part])
                if fnmatch.fnmatchcase(name, part) and self.lstat(f"{folder}/{name}") is not None
            ]
        return found

    @contextmanager
    def open(self, inside: str | PurePath, *, links: bool = True) -> Iterator[BinaryIO]:
        """Opens the regular file that a path leads to for reading."""
        path = self.resolve(inside, links=links)
        if path is None:
            raise VerificationError(self._message(inside, "no such file"))
        # opening a device or a pipe is enough to do harm
        if not stat.S_ISREG(path.lstat().st_mode):
            raise VerificationError(self._message(inside, "not a regular file"))
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            yield file

    def read_bytes(self, inside: str | PurePath, *, most: int = _MOST) -> bytes:
        """The content of the regular file that a path leads to, of at most `most` bytes."""
        with self.open(inside) as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise VerificationError(self._message(inside, f"too large (expected at most {most} bytes)"))
        return content

    def read_text(self, inside: str | PurePath, *, errors: str = "strict") -> str:
        """Like read_bytes, as UTF-8."""
        try:
            return self.read_bytes(inside).decode(errors=errors)
        except UnicodeDecodeError as error:
            raise VerificationError(self._message(inside, "not UTF-8")) from error

    def text(self, inside: str | PurePath) -> str:
        """Like read_bytes, decoded as archive.decoded does."""
        return files.decoded(self.read_bytes(inside))

    def lines(self, inside: str | PurePath) -> list[str]:
        """The lines of a commented list, as files.lines has them; empty when there is no such file."""
        return files.uncommented(self.text(inside)) if self.is_file(inside) else []

    def make_folder(self, inside: str | PurePath) -> Path:
        """The host's path of the folder that a path leads to; it and those above it are made when they are missing."""
        path = self._path(inside)
        for folder in (*reversed(path.parents), path):
            if not self.is_dir(folder):
                self._change(folder, Path.mkdir)
        made = self.resolve(path)
        if made is None:
            raise VerificationError(self._message(path, "vanished"))
        return made

    def write_text(self, inside: str | PurePath, text: str) -> None:
        """Writes a file of mode 0644 and replaces what the path names, a link included."""

        def write(place: Path) -> None:
            place.unlink(missing_ok=True)
            with place.open("x", encoding="utf-8", errors="surrogateescape") as file:
                file.write(text)
            place.chmod(0o644)

        self.make_folder(self._path(inside).parent)
        self._change(inside, write)

    def remove(self, inside: str | PurePath) -> None:
        """Removes a file or a whole folder, if it exists; of a link, the link alone."""
        if self.lstat(inside) is not None:
            self._change(inside, files.remove)

    def merge(self, source: Path, inside: str | PurePath) -> None:
        """Copies a file or a folder of ours into the tree, as archive.merge does."""
        self.make_folder(self._path(inside).parent)
        self._change(inside, lambda place: files.merge(source, place))

    def copy_out(self, inside: str | PurePath, target: Path) -> None:
        """Copies the regular file that a path leads to out of the tree, with the permissions that git keeps."""
        with self.open(inside) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
            target.chmod(0o755 if os.fstat(source.fileno()).st_mode & stat.S_IXUSR else 0o644)

    def move_out(self, inside: str | PurePath, target: Path) -> None:
        """Moves a folder out of the tree, to a path of ours in the same file system."""
        status = self.lstat(inside)
        if status is None or not stat.S_ISDIR(status.st_mode):
            raise VerificationError(self._message(inside, "not a folder"))
        self._change(inside, lambda place: place.rename(target))

    def refuse_links(self, inside: str | PurePath) -> None:
        """Raises VerificationError when an existing part of a path is a link."""
        path = self._path(inside)
        for step in (*reversed(path.parents), path):
            status = self.lstat(step)
            if status is not None and stat.S_ISLNK(status.st_mode):
                raise VerificationError(self._message(step, "a link (expected a folder or a file to mount over)"))

    def _change(self, inside: str | PurePath, change: Callable[[Path], object]) -> None:
        """Changes the file at a path's last component."""
        place = self.place(inside)
        if place is None:
            raise VerificationError(self._message(inside, "its folder is missing"))
        try:
            change(place)
        except (FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
            raise VerificationError(self._message(inside, f"in the way: {error.strerror}")) from error

    def _look(self, inside: str | PurePath, flags: int, *, links: bool = True) -> Path | None:
        """The host's path of what openat2(2) finds below the root."""
        path = self._path(inside)
        try:
            root = os.open(self.root, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            found = _openat2(root, str(path) or ".", flags, _IN_ROOT | _NO_MAGICLINKS | (0 if links else _NO_SYMLINKS))
        except OSError as error:
            if error.errno in _NOT_THERE:
                return None
            raise VerificationError(self._message(path, str(error.strerror))) from error
        else:
            try:
                return self.root / _named(found).relative_to(_named(root))
            finally:
                os.close(found)
        finally:
            os.close(root)

    def _path(self, inside: str | PurePath) -> PurePosixPath:
        path = PurePosixPath(str(inside).lstrip("/"))
        if "\0" in str(path):
            raise VerificationError(f"{self.root}: a path with a NUL in a tree of others")
        return path

    def _message(self, inside: str | PurePath, problem: str) -> str:
        return f"{self.root}: /{self._path(inside)}: {problem}"


def _named(descriptor: int) -> Path:
    """Returns the path of an open descriptor."""
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def _openat2(root: int, path: str, flags: int, resolve: int) -> int:
    """A descriptor of what `path` leads to below the folder `root`, for its name only (O_PATH). Raises OSError."""
    how = _OpenHow(flags | os.O_PATH | os.O_CLOEXEC, 0, resolve)
    number, size = ctypes.c_long(_OPENAT2), ctypes.c_size_t(ctypes.sizeof(how))
    for _ in range(_TRIES):
        found: int = _LIBC.syscall(number, ctypes.c_int(root), os.fsencode(path), ctypes.byref(how), size)
        if found >= 0:
            return found
        code = ctypes.get_errno()
        if code == errno.ENOSYS:
            raise UserError(
                f"openat2(2): not supported by this kernel (expected Linux 5.6 or newer, got {os.uname().release})"
            )
        if code != errno.EAGAIN:
            break
    raise OSError(code, os.strerror(code), path)
