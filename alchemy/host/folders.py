"""The work directory and the cache: private to the user who builds, and checked before anything in them is trusted.

Both hold the roots of chroots, with setuid programs and world-writable folders in them, logs, and password hashes.
Their own mode keeps other users out of all of that, so that no folder below needs to.
"""

from __future__ import annotations

import fnmatch
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.host import full_disk

LOCK = ".lock"

_PRIVATE = 0o700
# A group may be let in on purpose. It may not write: its files would run as root.
_FORBIDDEN = stat.S_IRWXO | stat.S_IWGRP
_RIGHTS = {
    stat.S_IROTH | stat.S_IXOTH: "others read",
    stat.S_IWOTH: "others write",
    stat.S_IWGRP: "its group write",
}


@dataclass(frozen=True)
class Kind:
    """What a folder is for. `key` is its name in config.yml; the file `mark` with the text `content` says that it is
    ours; `layout` has the names that one from before marks can hold, as patterns of fnmatch."""

    key: str
    mark: str
    content: str
    layout: tuple[str, ...]


CACHE = Kind(
    key="cache_dir",
    mark="CACHEDIR.TAG",
    # the first line is that of the Cache Directory Tagging Specification (bford.info/cachedir)
    content="Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This file is a cache directory tag created by Alchemy Linux.\n"
    "# For information about cache directory tags see https://bford.info/cachedir/\n",
    layout=("ccache", "distfiles", "kernel", "packages", "seen.json", "stage3", "stages", "trees"),
)

WORK = Kind(
    key="work_dir",
    mark=".alchemy-work",
    content="The work directory of Alchemy Linux. ./run util.clean removes it.\n",
    layout=(
        "chroot", "downloads", "identity", "increment", "kernel", "linux", "log", "mmdebstrap", "overlays", "ramfs",
        "rebuild", "sync", "tools", "tree", "verify",
    ),
)  # fmt: skip

# An empty folder may hold the lock, a mark whose writing was cut short, and the folder that mkfs makes.
_NOTHING = (LOCK, ".*.tmp", "lost+found")


def make(kind: Kind, path: Path, repository: Path) -> None:
    """Makes the folder, or takes an empty one, and marks it. An existing one must be ours.

    Raises UserError when it is not, or is not private.
    """
    with _parent(kind, path, repository, make=True) as parent:
        with suppress(FileExistsError):
            os.mkdir(path.name, _PRIVATE, dir_fd=parent)
        with _folder(kind, path, parent) as folder:
            if not _check(kind, path, folder):
                os.fchmod(folder, _PRIVATE)
                # what somebody has put there before the mode kept him out
                _check(kind, path, folder, empty=True)
            if not _is_marked(kind, folder):
                _mark(kind, folder)


def check(kind: Kind, path: Path, repository: Path, *, marked: bool = False) -> bool:
    """Returns whether the folder exists. With `marked`, a folder that is not empty must have the mark.

    Raises UserError when it is not ours, or is not private.
    """
    try:
        with opened(kind, path, repository) as folder:
            names = _check(kind, path, folder)
            if marked and names and not _is_marked(kind, folder):
                raise UserError(
                    f"{kind.key}: {path}: not marked as a folder of Alchemy's (expected a file {kind.mark} in it)",
                    hint=f"look into it, then: rm --recursive --one-file-system {path}",
                )
    except FileNotFoundError:
        return False
    return True


def prepare(context: Context) -> None:
    """Makes the cache and the work directory, or checks those that are there. Raises UserError."""
    for kind, path in of(context):
        make(kind, path, context.root)


def verify(context: Context) -> None:
    """Checks the cache and the work directory, where they are there, before anything in them is read.

    Raises UserError.
    """
    for kind, path in of(context):
        check(kind, path, context.root)


def of(context: Context) -> tuple[tuple[Kind, Path], ...]:
    """The two folders, in the order in which they are locked."""
    return (CACHE, context.cache), (WORK, context.work)


@contextmanager
def opened(kind: Kind, path: Path, repository: Path) -> Iterator[int]:
    """A descriptor of a folder of ours, which stays that folder whatever becomes of its name.

    Raises FileNotFoundError, and UserError when it has another owner or can be replaced by somebody.
    """
    with _parent(kind, path, repository) as parent, _folder(kind, path, parent) as folder:
        yield folder


@contextmanager
def _parent(kind: Kind, path: Path, repository: Path, *, make: bool = False) -> Iterator[int]:
    """The folder that holds `path`, reached from the root without following a link.

    Only root, this user and the owner of the repository (whose code runs anyway) may be able to rename its parents.
    """
    trusted = {0, os.geteuid(), repository.stat().st_uid}
    here = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _check_parent(kind, path, Path("/"), os.fstat(here), trusted)
        for ancestor in reversed(path.parents[:-1]):
            below = _enter(kind, ancestor, here, make=make)
            os.close(here)
            here = below
            _check_parent(kind, path, ancestor, os.fstat(here), trusted)
        yield here
    finally:
        os.close(here)


def _enter(kind: Kind, ancestor: Path, parent: int, *, make: bool) -> int:
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        if make and not ancestor.exists():
            with suppress(FileExistsError):
                os.mkdir(ancestor.name, dir_fd=parent)
        return os.open(ancestor.name, flags, dir_fd=parent)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in full_disk.FULL:
            raise
        raise UserError(f"{kind.key}: {ancestor}: {error.strerror}", hint=f"see {kind.key} of config.yml") from error


def _check_parent(kind: Kind, path: Path, ancestor: Path, status: os.stat_result, trusted: set[int]) -> None:
    if status.st_uid not in trusted:
        raise UserError(
            f"{kind.key}: {path}: {ancestor} belongs to {_user(status.st_uid)}, who can replace what is in it "
            f"(expected {_user(os.geteuid())} or root)",
            hint=f"set {kind.key} to a folder elsewhere",
        )
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        raise UserError(
            f"{kind.key}: {path}: {ancestor}: mode {_mode(status)} lets others replace what is in it "
            "(expected no write permission for others, or the sticky bit)",
            hint=f"chmod o-w {ancestor}",
        )


@contextmanager
def _folder(kind: Kind, path: Path, parent: int) -> Iterator[int]:
    """The folder itself, when it is a real one and ours."""
    # O_PATH needs no permission: the owner can be named even where reading is refused
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(path.name or ".", flags, dir_fd=parent)
    try:
        status = os.fstat(handle)
        if stat.S_ISLNK(status.st_mode):
            raise UserError(
                f"{kind.key}: {path}: a symbolic link (expected a folder)",
                hint=f"set {kind.key} to {path.resolve()} itself",
            )
        if not stat.S_ISDIR(status.st_mode):
            raise UserError(f"{kind.key}: {path}: not a folder", hint=f"see {kind.key} of config.yml")
        if status.st_uid != os.geteuid():
            raise UserError(
                f"{kind.key}: {path}: belongs to {_user(status.st_uid)} (expected {_user(os.geteuid())})",
                hint=f"set {kind.key} to a folder of {_user(os.geteuid())}'s, or run this as {_user(status.st_uid)}",
            )
        folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=handle)
    finally:
        os.close(handle)
    try:
        yield folder
    finally:
        os.close(folder)


def _check(kind: Kind, path: Path, folder: int, *, empty: bool = False) -> list[str]:
    """Returns the names in a folder of ours, without the lock.

    Raises UserError when others can get at them, or when they are not Alchemy's. `empty` takes no unmarked ones.
    """
    names = [name for name in os.listdir(folder) if not _matches(name, _NOTHING)]
    status = os.fstat(folder)
    # an empty one is made private; but what others may write to was not made for us
    forbidden = status.st_mode & (_FORBIDDEN if names else stat.S_IWOTH)
    if forbidden:
        rights = [right for bits, right in _RIGHTS.items() if forbidden & bits]
        raise UserError(
            f"{kind.key}: {path}: mode {_mode(status)} lets {' and '.join(rights)} (expected 0700)",
            hint=f"chmod 0700 {path}",
        )
    known = () if empty else kind.layout
    if names and not _is_marked(kind, folder) and not all(_matches(name, known) for name in names):
        raise UserError(
            f"{kind.key}: {path}: holds files that are not Alchemy's (expected an empty folder, or {kind.mark} in it)",
            hint=f"set {kind.key} to a folder of its own",
        )
    return names


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _is_marked(kind: Kind, folder: int) -> bool:
    try:
        descriptor = os.open(kind.mark, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        # the mark of another program is not ours, though it is a CACHEDIR.TAG too
        return file.read(len(kind.content) + 1) == kind.content.encode()


def _mark(kind: Kind, folder: int) -> None:
    temporary = f".{kind.mark}.tmp"
    # another build may be marking it too
    with suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=folder)
    with suppress(FileExistsError, FileNotFoundError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, 0o600, dir_fd=folder), "w", encoding="ascii") as file:
            file.write(kind.content)
        os.rename(temporary, kind.mark, src_dir_fd=folder, dst_dir_fd=folder)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _mode(status: os.stat_result) -> str:
    return f"{stat.S_IMODE(status.st_mode):04o}"
