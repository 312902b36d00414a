"""The one seam to the machine: its files below a root, and its programs.

A recorded machine is a folder in place of the root, and recorded outputs in place of the programs.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from alchemy_node import processes
from alchemy_node.processes import MIB, Output


class Programs(Protocol):
    """Runs a program: processes.run, or its stand-in. Never raises because of the program."""

    def __call__(self, argv: Sequence[str], seconds: float, limit: int) -> Output: ...


@dataclass(frozen=True)
class Machine:
    """A machine: every path is absolute on it, whatever its root is here."""

    root: Path = Path("/")
    programs: Programs = processes.run

    def read(self, path: str, limit: int = 65536) -> str | None:
        """The text of a file, cut at `limit` bytes; None when it is absent, unreadable or no regular file."""
        data = self.read_bytes(path, limit)
        return None if data is None else data.decode(errors="replace")

    def read_bytes(self, path: str, limit: int = 65536) -> bytes | None:
        """The bytes of a file, cut at `limit`; None when it is absent, unreadable or no regular file."""
        place = self._place(path)
        if place is None:
            return None
        try:
            # O_NONBLOCK: a FIFO or a terminal would wait for someone
            descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError):
            return None
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            data = bytearray()
            while len(data) < limit and (chunk := os.read(descriptor, min(limit - len(data), MIB))):
                data += chunk
        except OSError:
            return None
        finally:
            os.close(descriptor)
        return bytes(data)

    def exists(self, path: str) -> bool:
        """Whether there is a file or a folder of that name."""
        place = self._place(path)
        return place is not None and os.path.exists(place)  # noqa: PTH110 - Path.exists raises on odd names

    def glob(self, pattern: str) -> list[str]:
        """The paths that match, sorted."""
        found = glob.glob(pattern.lstrip("/"), root_dir=self.root)  # noqa: PTH207 - Path.glob raises where it may not read
        return sorted("/" + name for name in found if self._place(name) is not None)

    def link(self, path: str) -> str | None:
        """The path that a symbolic link leads to, free of further links; None for all else."""
        place = self._place(path)
        if place is None or not (self.root / path.lstrip("/")).is_symlink():
            return None
        return "/" + os.path.relpath(place, os.path.realpath(self.root))

    def run(self, argv: Sequence[str], seconds: float = 30, limit: int = 8 * MIB) -> Output:
        """Runs a program; see processes.run."""
        return self.programs(argv, seconds, limit)

    def _place(self, path: str) -> str | None:
        """Where a path of the machine is here; None when a link leads out of the root."""
        top = os.path.realpath(self.root)
        try:
            place = os.path.realpath(os.path.join(top, path.lstrip("/")))  # noqa: PTH118 - as realpath, text
        except (OSError, ValueError):
            return None
        return place if top == "/" or place == top or place.startswith(top + "/") else None
