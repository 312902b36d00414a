"""The exit status of the node's programs."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """What a program's run has shown."""

    PASS = 0
    FAIL = 1  # the machine is not as it has to be
    USAGE = 2  # the command line, or a file of the user's
    ERROR = 3  # nothing was proven
