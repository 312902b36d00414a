"""Writes screens or plain lines to terminals, and never waits for one.

A console whose reader is gone, or whose flow control is off, takes no bytes: they are left out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from alchemy_node.burnin import plain, screen
from alchemy_node.burnin.model import Run
from alchemy_node.machine import Machine

# who waits for a login has nothing on the terminal that a screen could spoil
_WAITING = frozenset({"agetty", "getty", "mingetty", "login"})
# a screen is drawn whole once in a while: a terminal that was connected later has seen nothing of it
_WHOLE_EVERY = 12
# between two looks at the processes
_LOOK_SECONDS = 10.0


class Terminal:
    """A terminal by its open file."""

    def __init__(self, file: int, *, dumb: bool) -> None:
        """Writes to an open file that does not block: screens, or plain lines when it is dumb."""
        self._file = file
        self._lines = plain.Lines() if dumb else None
        self._shown: list[str] = []
        self._left = b""
        self._count = 0

    @classmethod
    def open(cls, device: Path, *, dumb: bool) -> Terminal | None:
        """Opens a terminal by its device; None when it cannot be opened."""
        try:
            return cls(os.open(device, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC), dumb=dumb)
        except OSError:
            return None

    def text(self, run: Run, now: datetime) -> str:
        """Returns what `write` has to write so that the terminal shows a run: what changed since the last call."""
        if self._lines is not None:
            return "".join(f"{line}\r\n" for line in self._lines.update(run, now))
        lines = screen.lines(run, now)
        # the text on the terminal before the first screen is kept, as far as it scrolls
        start = "" if self._shown else "\r\n" * screen.ROWS
        before = [] if self._count % _WHOLE_EVERY == 0 else self._shown
        self._count += 1
        self._shown = lines
        return start + frame(lines, before)

    def forget(self) -> None:
        """Has the next screen drawn whole, as others have written to the terminal."""
        self._count = 0

    def write(self, text: str) -> None:
        """Writes as much as the terminal takes, beginning with the bytes left over."""
        # the bytes left over come first, so that no escape sequence is torn
        data = self._left + (b"" if len(self._left) > 1 << 14 else text.encode("ascii", "replace"))
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        except BlockingIOError:
            pass
        except OSError:
            written = len(data)
        self._left = data[written:]
        if self._left:
            self.forget()

    def close(self) -> None:
        """Leaves the screen as it is, the cursor below it, and closes the file."""
        if self._lines is None and not self._left:
            self.write("\r\n")
        os.close(self._file)


def frame(lines: Sequence[str], before: Sequence[str]) -> str:
    """Returns what turns one screen into another: the lines that differ; everything when there was none before.

    Source of the sequences: ECMA-48 (CUP, EL, ED), which the console of Linux and VT100 have in common.
    """
    start = "" if before else "\x1b[2J"
    changed = [
        f"\x1b[{row};1H{line}\x1b[K"
        for row, line in enumerate(lines, 1)
        if row > len(before) or before[row - 1] != line
    ]
    return start + "".join(changed) + (f"\x1b[{len(lines)};1H" if changed else "")


def consoles(machine: Machine) -> list[str]:
    """Returns the names of the kernel's consoles (console=), such as tty0 and ttyS0."""
    names = (machine.read("/sys/class/tty/console/active") or "").split()
    return [name for name in names if name.isalnum()]


class Logins:
    """Tells on which terminals someone is logged in.

    That takes a look at every process, which is slow on a large machine: it is done for a terminal on which someone
    has typed since the last look, and while someone is logged in.
    """

    def __init__(self, machine: Machine, clock: Callable[[], float] = time.monotonic) -> None:
        """Knows nothing yet."""
        self._machine = machine
        self._clock = clock
        self._known: dict[str, _Login] = {}

    def busy(self, name: str) -> bool:
        """Tells whether someone is logged in on a terminal."""
        known, typed, now = self._known.get(name), self._typed(name), self._clock()
        quiet = known is not None and not known.busy and known.typed == typed
        if known is not None and (quiet or now < known.looked + _LOOK_SECONDS):
            return known.busy
        self._known[name] = _Login(in_use(self._machine, name), typed, now)
        return self._known[name].busy

    def _typed(self, name: str) -> float:
        """Returns when a terminal was last read from: the kernel keeps it, to 8 seconds, as the time of its file."""
        try:
            return (self._machine.root / "dev" / _shown(self._machine, name)).stat().st_atime
        except OSError:
            return 0.0


@dataclass(frozen=True)
class _Login:
    busy: bool
    typed: float
    looked: float


def _shown(machine: Machine, name: str) -> str:
    """Returns the terminal itself: tty0 is whatever virtual terminal is shown."""
    return (machine.read(f"/sys/class/tty/{name}/active") or name).strip() if name == "tty0" else name


def in_use(machine: Machine, name: str) -> bool:
    """Tells whether someone is logged in on a terminal: a process has it that does not wait for a login.

    Source of the numbers: proc_pid_stat(5), field tty_nr, and the `dev` file of the terminal in sysfs.
    """
    major, _, minor = (machine.read(f"/sys/class/tty/{_shown(machine, name)}/dev") or "").strip().partition(":")
    if not (major.isdigit() and minor.isdigit()):
        return False
    number = int(minor) & 0xFF | int(major) << 8 | (int(minor) & ~0xFF) << 12
    for path in machine.glob("/proc/[0-9]*/stat"):
        before, _, after = (machine.read(path, 4096) or "").rpartition(")")
        fields = after.split()
        if len(fields) > 4 and fields[4] == str(number) and before.partition("(")[2] not in _WAITING:
            return True
    return False
