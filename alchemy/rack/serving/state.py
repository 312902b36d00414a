"""The state folder: what one boot.serve keeps, and serves from."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alchemy.errors import UserError

DEFAULT = Path("/var/lib/alchemy")

_LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Makes the folder and holds its lock, which vanishes with the process.

    Raises UserError when another process has it, and for a folder that others own or may write to.
    """
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    status = folder.stat()
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UserError(
            f"{folder}: others may write to it (expected a folder of user {os.geteuid()} with mode 0755)",
            hint=f"chown {os.geteuid()} {folder} && chmod 0755 {folder}",
        )
    path = folder / _LOCK
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UserError(f"{path}: not a lock of ours: {error.strerror}", hint=f"rm -r {path}") from error
    with os.fdopen(descriptor, "r+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{folder}: in use by the boot.serve of process {file.read().strip() or '?'}",
                hint="stop that one, or give this one a folder of its own with --state",
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
