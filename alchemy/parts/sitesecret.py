"""The secret of a site: 32 random bytes in the cache, from which the salts of passwords are derived.

All builds with the same cache have the same secret. Another cache has another secret, and thus another salt.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from alchemy.errors import UserError

NAME = "site-secret"

_SIZE = 32


def create(cache: Path) -> None:
    """Creates the secret of a cache, unless it has one. The file is complete, or not there."""
    path = cache / NAME
    if os.path.lexists(path):
        return
    new = cache / f".{NAME}.{os.getpid()}"
    new.unlink(missing_ok=True)
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_SIZE))
            file.flush()
            os.fsync(file.fileno())
        # another clone that shares the cache may have been faster: then its secret counts
        with suppress(FileExistsError):
            path.hardlink_to(new)
    finally:
        new.unlink(missing_ok=True)


def read(cache: Path) -> bytes | None:
    """Reads the secret of a cache; None when it has none yet.

    Raises UserError for a link, a file of another user, a file that others may read or write, and a wrong size.
    """
    path = cache / NAME
    try:
        # a FIFO would block
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(path, "not a regular file" if path.is_symlink() else error.strerror or "unreadable") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _refused(path, "not a regular file")
        if status.st_uid != os.geteuid():
            raise _refused(path, f"wrong owner (expected uid {os.geteuid()}, got {status.st_uid})")
        if status.st_mode & 0o077:
            raise _refused(path, f"others may use it (expected mode 0600, got {stat.S_IMODE(status.st_mode):04o})")
        if status.st_size != _SIZE:
            raise _refused(path, f"wrong size (expected {_SIZE} bytes, got {status.st_size})")
        return os.read(descriptor, _SIZE)
    finally:
        os.close(descriptor)


def _refused(path: Path, problem: str) -> UserError:
    return UserError(
        f"{path}: {problem}", hint=f"rm {path}; the next build creates a new secret, and with it new salts"
    )
