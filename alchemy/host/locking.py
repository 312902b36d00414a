"""One build at a time in a work directory and a cache."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.host import files, folders, full_disk
from alchemy.host.folders import LOCK, Kind


@contextmanager
def exclusive(context: Context) -> Iterator[None]:
    """Holds the locks of the work directory and the cache, and makes both. They vanish with the process, kill -9
    included.

    Raises UserError, which names the holder, when another process has one, and what folders.make raises.
    """
    with ExitStack() as stack:
        for kind, folder in folders.of(context):
            stack.enter_context(_hold(kind, folder, context.root))
        yield


def remove(kind: Kind, folder: Path) -> None:
    """Removes a folder whose lock is held. The mark and the lock go last: what a killed run leaves is still ours, and
    until then no other build begins there."""
    for path in folder.iterdir():
        if path.name not in (LOCK, kind.mark):
            files.remove(path)
    for name in (kind.mark, LOCK):
        (folder / name).unlink(missing_ok=True)
    # it is not empty if another build has begun just now
    with suppress(OSError):
        folder.rmdir()


@contextmanager
def _hold(kind: Kind, folder: Path, repository: Path) -> Iterator[None]:
    with _locked(kind, folder, repository) as file:
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _locked(kind: Kind, folder: Path, repository: Path) -> TextIO:
    """The lock of a folder, both made if need be. Raises UserError, which names the holder, when it is held already."""
    path = folder / LOCK
    while True:
        try:
            folders.make(kind, folder, repository)
            with folders.opened(kind, folder, repository) as handle:
                file = _open(path, handle)
        except FileNotFoundError:
            # its last holder has removed the folder
            continue
        except OSError as error:
            if error.errno in full_disk.FULL:
                raise
            raise UserError(
                f"{kind.key}: {folder}: {error.strerror}", hint="see work_dir and cache_dir of config.yml"
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with file:
                file.seek(0)
                raise UserError(
                    f"{folder}: in use by process {file.read().strip() or '?'}",
                    hint="wait for that build, or stop it",
                ) from None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.lstat()):
                return file
        # its last holder has removed it: the next one would lock another file
        file.close()


def _open(path: Path, folder: int) -> TextIO:
    """The lock file in the open `folder`. Raises UserError when it is anything but a plain file of ours, which somebody
    may have made to have us write elsewhere."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path.name, flags, 0o600, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise _refused(path) from error
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_nlink > 1:
        os.close(descriptor)
        raise _refused(path)
    return os.fdopen(descriptor, "a+", encoding="ascii")


def _refused(path: Path) -> UserError:
    return UserError(
        f"{path}: not a lock of ours (expected a plain file with one name, which we own)", hint=f"rm {path}"
    )
