"""The size of the servers' logs: one earlier file is kept of each."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

MOST_BYTES = 64 << 20


def rotate(path: Path, most: int = MOST_BYTES) -> None:
    """Copies a log that has become larger to NAME.1, and empties it in place.

    Its writer goes on at the new end, as all of them append. Lines that are written meanwhile are lost. On a full disk
    the whole log is, which frees its space.
    """
    try:
        if path.stat().st_size <= most:
            return
    except FileNotFoundError:
        return
    earlier = path.with_name(f"{path.name}.1")
    try:
        shutil.copyfile(path, earlier)
    except OSError:
        with suppress(OSError):
            earlier.unlink(missing_ok=True)
    os.truncate(path, 0)
