"""Starts programs, watches them, and starts one that has died again."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Protocol

from alchemy import run
from alchemy.errors import BuildError
from alchemy.rack.serving import leftovers, logs
from alchemy.run import Runner
from alchemy.ui.events import Log

# A program that dies more often than this within that time will not get well by itself.
_MOST_RESTARTS, _WITHIN_SECONDS = 5, 60.0

# what a start, migrations of the records included, may take on a busy machine
_START_SECONDS = 60.0
# what a stop may take before it is forced
_STOP_SECONDS = 5.0
_TICK = 0.1
_TICKS_OF_LOGS = 100


@dataclass(frozen=True, eq=False)
class Program:
    """A program that runs until it is stopped. `is_ready` says whether it serves; `logs` are all files it writes, the
    first of them with its output."""

    name: str
    argv: Sequence[str]
    logs: tuple[Path, ...]
    is_ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)


class _Process(Protocol):
    """A started program."""

    returncode: int | None

    def poll(self) -> int | None: ...

    def send_signal(self, sig: int) -> None: ...


class Supervisor:
    """Runs programs side by side. All calls come from one thread: the kernel kills a program with the thread that
    started it."""

    def __init__(self, runner: Runner, programs: Iterable[Program], log: Log) -> None:
        self._runner = runner
        self._log = log
        self._programs = tuple(programs)
        self._running: dict[Program, _Process] = {}
        self._deaths: dict[Program, deque[float]] = {program: deque() for program in self._programs}

    def start(self) -> None:
        """Starts all programs, each when the one before serves. Raises BuildError for one that dies or never does."""
        for program in self._programs:
            self._start(program)
            end = time.monotonic() + _START_SECONDS
            while not program.is_ready():
                if self._running[program].poll() is not None:
                    raise self._failure(program, "died at its start")
                if time.monotonic() > end:
                    raise self._failure(program, f"does not answer {_START_SECONDS:.0f} s after its start")
                time.sleep(_TICK)

    def watch(self) -> NoReturn:
        """Starts again what dies, and keeps the logs small, until the caller is interrupted. Raises BuildError for one
        that keeps dying."""
        ticks = 0
        while True:
            if ticks % _TICKS_OF_LOGS == 0:
                for path in (path for program in self._programs for path in program.logs):
                    logs.rotate(path)
            for program, process in list(self._running.items()):
                if process.poll() is not None:
                    self._restart(program, process)
            time.sleep(_TICK)
            ticks += 1

    def stop(self) -> None:
        """Asks all programs to end, and kills those that don't within 5 s."""
        for process in self._running.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        end = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < end and any(process.poll() is None for process in self._running.values()):
            time.sleep(_TICK)
        self._runner.stop()
        leftovers.end(log for program in self._programs for log in program.logs)

    def _start(self, program: Program) -> None:
        self._running[program] = self._runner.start(program.argv, log=program.logs[0], env=program.environment)

    def _restart(self, program: Program, process: _Process) -> None:
        deaths, now = self._deaths[program], time.monotonic()
        deaths.append(now)
        while deaths[0] < now - _WITHIN_SECONDS:
            deaths.popleft()
        if len(deaths) > _MOST_RESTARTS:
            raise self._failure(program, f"died {len(deaths)} times within {_WITHIN_SECONDS:.0f} s")
        self._log.warn(f"{program.name} {_ended(process)}; it is started again (log: {program.logs[0]})")
        # its workers may have survived it, with its ports
        leftovers.end(program.logs)
        self._start(program)

    def _failure(self, program: Program, problem: str) -> BuildError:
        log = program.logs[0]
        said = "\n".join(f"  {line}" for line in run.tail(log).splitlines())
        ended = _ended(self._running[program])
        return BuildError(f"{program.name}: {problem} ({ended})\n{said}\nlog: {log}")


def _ended(process: _Process) -> str:
    code = process.returncode
    if code is None:
        return "still running"
    return f"killed by signal {-code}" if code < 0 else f"ended with status {code}"
