"""The machine's watchdog: it resets a machine that hangs, so that the hang becomes a diagnosis and not a silent night.

Source of the interface: the Linux kernel's watchdog API (Documentation/watchdog/watchdog-api.rst).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import threading
from pathlib import Path
from typing import Self

DEVICE = "/dev/watchdog"
# long enough for a machine under load, short enough for the technician who waits
SECONDS = 300
# between two writes: each may be a message to the BMC
_INTERVAL = 10.0
_PATIENCE = 20.0

_SETTIMEOUT = 0xC0045706  # _IOWR('W', 6, int)


class Watchdog:
    """An armed watchdog. `pet` has to be called more often than its timeout; `disarm` ends it without a reset.

    The device is written by a thread: where the timer is the BMC's, a write waits for a BMC that hangs.
    """

    def __init__(self, file: int, seconds: int) -> None:
        """Takes over an open device whose timeout is so long."""
        self.seconds = seconds
        self._file = file
        self._alive = threading.Event()
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._work, name="watchdog", daemon=True)
        self._thread.start()

    @classmethod
    def arm(cls, device: Path, seconds: int = SECONDS) -> Self | None:
        """Opens the device, which arms it. Returns None when the machine has none; raises OSError when it is in use."""
        try:
            file = os.open(device, os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            answer = fcntl.ioctl(file, _SETTIMEOUT, struct.pack("i", seconds))
        except OSError:
            # its timeout is fixed, and unknown: it is let go, as one that bites early would break the run
            _release(file)
            return None
        return cls(file, struct.unpack("i", answer)[0])

    def pet(self) -> None:
        """Tells the watchdog that the caller is alive. Returns at once."""
        self._alive.set()

    def disarm(self) -> None:
        """Stops the watchdog. One that does not take that in time is left to the end of this process."""
        self._leaving.set()
        self._alive.set()
        self._thread.join(_PATIENCE)

    def _work(self) -> None:
        while self._alive.wait() and not self._leaving.is_set():
            self._alive.clear()
            # a device that went away is of no use, and no harm
            with contextlib.suppress(OSError):
                os.write(self._file, b"\0")
            self._leaving.wait(_INTERVAL)
        _release(self._file)


def _release(file: int) -> None:
    with contextlib.suppress(OSError):
        # the character that says that the close is meant
        os.write(file, b"V")
    os.close(file)
