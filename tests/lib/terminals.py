"""Programs on a pseudo-terminal, by pexpect."""

from __future__ import annotations

import signal
from typing import Any

import pexpect


def kill(child: pexpect.spawn[Any]) -> None:
    """Kills a program, waits for its end, and closes its terminal.

    pexpect itself waits for a tenth of a second, in which a busy host does not free the memory of a machine.
    """
    child.kill(signal.SIGKILL)
    child.wait()
    child.close()
