"""A full disk, told as one: which it is, and how to make room."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.ui.events import size

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

# the messages of programs that met one of these; our children run in the C locale
_MESSAGES = tuple(os.strerror(code) for code in FULL)


@contextmanager
def explained(context: Context) -> Iterator[None]:
    """Makes a full disk, whether we met it or a program did, a BuildError that names the folders to make room in."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise BuildError(f"{error.filename or 'the disk'}: {error.strerror}", hint=_advice(context)) from error
    except BuildError as error:
        if not any(message in error.message for message in _MESSAGES):
            raise
        raise BuildError(f"the disk is full: {error.message}", hint=_advice(context)) from error


def _advice(context: Context) -> str:
    folders = {"work_dir": context.work, "cache_dir": context.cache, "bin": context.bin}
    rooms = "; ".join(f"{name} {folder} has {size(_free(folder))} free" for name, folder in folders.items())
    return f"{rooms}. `./run cache.prune` makes room in cache_dir, `./run util.clean` in work_dir"


def _free(folder: Path) -> int:
    """Bytes that are free where `folder` is or will be."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(existing).free
