"""What was measured: times by call, errors, and what a process has used."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_KEPT_ERRORS = 5


@dataclass
class Times:
    """How long each call took, in seconds, and what went wrong."""

    calls: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: int = 0
    first_errors: list[str] = field(default_factory=list)

    @contextmanager
    def of(self, call: str) -> Iterator[None]:
        """Measures a call to its end; one that raises is an error and no time."""
        started = time.perf_counter()
        yield
        self.calls[call].append(time.perf_counter() - started)

    def failed(self, what: str) -> None:
        """Counts an error."""
        self.errors += 1
        if len(self.first_errors) < _KEPT_ERRORS:
            self.first_errors.append(what)

    def shown(self) -> dict[str, Any]:
        """Returns the figures of each call, in milliseconds."""
        return {call: summary(times) for call, times in sorted(self.calls.items())}


def summary(times: Sequence[float]) -> dict[str, float]:
    """Returns the number of times, their median, 95th percentile and maximum, in milliseconds."""
    ordered = sorted(times)
    if not ordered:
        return {"count": 0}

    def at(share: float) -> float:
        return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    return {"count": len(ordered), "p50_ms": at(0.5), "p95_ms": at(0.95), "max_ms": at(1)}


def cpu_seconds(pid: int) -> float:
    """Returns the processor time that a process has used so far (proc_pid_stat(5))."""
    # the name of the program, in brackets, may have blanks; utime and stime are the 12th and 13th behind it
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def most_memory(pid: int) -> float:
    """Returns the most memory that a process has had resident, in MB (proc_pid_status(5))."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0
