"""Servers that a killed boot.serve has left running.

The kernel kills what boot.serve starts when boot.serve is killed, but neither the workers of nginx nor a process that
has changed its user. Whoever still has one of our logs open for writing is such a process: unlike a number in a file,
that can't be someone else's.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from alchemy.errors import BuildError
from alchemy.rack.serving import open_files
from alchemy.rack.serving.open_files import Process

_SECONDS = 5.0


def end(logs: Iterable[Path]) -> list[Process]:
    """Kills the processes that write to these logs, and returns them when they are gone. Raises BuildError when one
    stays."""
    paths = list(logs)
    ended: dict[Process, None] = {}
    deadline = time.monotonic() + _SECONDS
    while found := _writers(paths):
        if time.monotonic() > deadline:
            raise BuildError(f"{', '.join(map(str, found))}: still running after SIGKILL")
        for process in found:
            ended[process] = None
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.05)
    return list(ended)


def _writers(paths: list[Path]) -> list[Process]:
    found = [process for path in paths if path.exists() for process in open_files.writers(path)]
    return [process for process in dict.fromkeys(found) if process.pid != os.getpid()]
