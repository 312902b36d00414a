"""One burn-in at a time: the lock that a supervisor holds while it lives."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

LOCK = Path("/run/alchemy/burnin.lock")


def claim(path: Path = LOCK) -> int | None:
    """Takes the lock; the open file that is returned holds it until the process ends. None: another has it.

    Raises OSError when there can be no lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


def held(path: Path = LOCK, locks: Path = Path("/proc/locks")) -> bool:
    """Tells whether a supervisor has the lock; everybody may ask, and asking never gets in the way of a supervisor.

    Source of the format: proc_locks(5); the file is named by the numbers of its device and its inode.
    """
    try:
        found = path.lstat()
        lines = locks.read_text(encoding="ascii").splitlines()
    except OSError:
        return False
    name = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    return any(name in line.split() and "FLOCK" in line and "->" not in line for line in lines)
