"""One build at a time in a work directory and a cache."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

from alchemy import archive, disk
from alchemy.context import Context
from alchemy.errors import UserError

_LOCK = ".lock"


@contextmanager
def exclusive(context: Context) -> Iterator[None]:
    """Holds the locks of the work directory and the cache. They vanish with the process, kill -9 included.

    Raises UserError, which names the holder, when another process has one.
    """
    with ExitStack() as stack:
        for folder in (context.cache, context.work):
            stack.enter_context(_hold(folder))
        yield


def remove(folder: Path) -> None:
    """Removes a folder whose lock is held. The lock goes last: until then no other build begins there."""
    for path in folder.iterdir():
        if path.name != _LOCK:
            archive.remove(path)
    (folder / _LOCK).unlink()
    # it is not empty if another build has begun just now
    with suppress(OSError):
        folder.rmdir()


@contextmanager
def _hold(folder: Path) -> Iterator[None]:
    path = folder / _LOCK
    with _locked(path) as file:
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _locked(path: Path) -> TextIO:
    """The file, made if need be and locked. Raises UserError, which names the holder, when it is locked already."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+", encoding="ascii")
        except OSError as error:
            if error.errno in disk.FULL:
                raise
            raise UserError(
                f"{error.filename}: {error.strerror}", hint="see work_dir and cache_dir of config.yml"
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with file:
                file.seek(0)
                raise UserError(
                    f"{path.parent}: in use by process {file.read().strip() or '?'}",
                    hint="wait for that build, or stop it",
                ) from None
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
        # its last holder has removed it: who comes next would lock another
        file.close()
