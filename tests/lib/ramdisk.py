"""A tmpfs for the folders of the tests: whole root trees, which are unpacked, changed and removed within seconds.

On a disk most of that time is spent on writing what nobody reads again.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

# three workers fill two thirds of it at most
_NEEDED = 18 << 30
_PREFIX = "alchemy-tests-"


def is_possible() -> bool:
    """Returns whether this process may mount, and the machine has RAM to spare."""
    return os.geteuid() == 0 and _available() >= _NEEDED


def mount() -> Path:
    """Mounts a tmpfs and returns its folder. Removes those of runs that were killed."""
    parent = Path(tempfile.gettempdir())
    for left in parent.glob(f"{_PREFIX}*"):
        if not Path("/proc", left.name.removeprefix(_PREFIX)).exists():
            unmount(left)
    folder = parent / f"{_PREFIX}{os.getpid()}"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=75%,mode=0755", "alchemy-tests", folder], check=True)
    return folder


def unmount(folder: Path) -> None:
    """Unmounts the tmpfs, which is freed with the last process that uses it."""
    subprocess.run(["umount", "--lazy", folder], check=False)
    folder.rmdir()


def _available() -> int:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
