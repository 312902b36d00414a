"""One build at a time in a work directory and a cache."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from alchemy.context import Context
from alchemy.errors import UserError


@contextmanager
def exclusive(context: Context) -> Iterator[None]:
    """Holds the locks of the work directory and the cache. They vanish with the process, kill -9 included.

    Raises UserError, which names the holder, when another process has one.
    """
    with ExitStack() as stack:
        for folder in (context.cache, context.work):
            stack.enter_context(_hold(folder))
        yield


@contextmanager
def _hold(folder: Path) -> Iterator[None]:
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="ascii")
    except OSError as error:
        raise UserError(
            f"{error.filename}: {error.strerror}", hint="see work_dir and cache_dir of config.yml"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(
                f"{folder}: in use by process {file.read().strip() or '?'}", hint="wait for that build, or stop it"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
