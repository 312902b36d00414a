"""Follow what the kernel says: its log, and the hardware errors that it traces.

The traces are read from an instance of their own, so that they come here whoever else (rasdaemon, mcelog) reads them.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from alchemy_node.burnin.kernel_log import parse_kmsg

KMSG = Path("/dev/kmsg")
TRACING = Path("/sys/kernel/tracing")

_EVENTS = ("mce/mce_record", "ras/mc_event", "ras/aer_event")
_INSTANCE = "alchemy-burnin"
# lines that are taken at a time: a log that floods must not hold up the supervisor
_MOST = 2000


@dataclass
class KernelLines:
    """The lines that the kernel says from now on."""

    kmsg: int | None
    trace: int | None
    instance: Path | None = None
    lost: bool = False
    _rest: bytes = b""

    @property
    def missing(self) -> str | None:
        """Why the kernel's log cannot be followed; None when it can."""
        return "the kernel's log cannot be read" if self.kmsg is None else None

    def read(self) -> list[str]:
        """Returns the lines since the last time."""
        return [*self._log(), *self._traces()]

    def close(self) -> None:
        """Stops following."""
        for descriptor in (self.kmsg, self.trace):
            if descriptor is not None:
                os.close(descriptor)
        self.kmsg = self.trace = None
        if self.instance is not None:
            with contextlib.suppress(OSError):
                self.instance.rmdir()

    def _log(self) -> list[str]:
        lines: list[str] = []
        while self.kmsg is not None and len(lines) < _MOST:
            try:
                record = os.read(self.kmsg, 8192)
            except BlockingIOError:
                break
            except BrokenPipeError:
                # the kernel has overwritten unread lines
                self.lost = True
            except OSError:
                break
            else:
                if not record:
                    break
                lines.append(parse_kmsg(record))
        return lines

    def _traces(self) -> list[str]:
        if self.trace is None:
            return []
        try:
            self._rest += os.read(self.trace, 65536)
        except OSError:
            return []
        *whole, self._rest = self._rest.split(b"\n")
        self._rest = self._rest[-4096:]
        return [line.decode(errors="replace")[:1024] for line in whole]


def follow(kmsg: Path = KMSG, tracing: Path = TRACING) -> KernelLines:
    """Follows the kernel from now on."""
    log = _open(kmsg)
    if log is not None:
        with contextlib.suppress(OSError):
            os.lseek(log, 0, os.SEEK_END)
    instance = tracing / "instances" / _INSTANCE
    try:
        instance.mkdir(exist_ok=True)
    except OSError:
        return KernelLines(log, None)
    for event in _EVENTS:
        with contextlib.suppress(OSError):
            (instance / "events" / event / "enable").write_text("1", encoding="ascii")
    return KernelLines(log, _open(instance / "trace_pipe"), instance)


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
