"""The events of a build. A view (views.py) shows them as they happen."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from alchemy.errors import visible

Kind = Literal["info", "warning", "step", "stage", "progress", "package", "output"]
State = Literal["fresh", "waiting", "running", "done", "failed", "stopped"]


@dataclass(frozen=True)
class Event:
    """An event of a build.

    `stage` names the stage that it belongs to. Events of the kinds stage and step have a `state`, and `seconds` when
    they are done. A package is the `number`th of `total`. An output holds the last lines of the stage's log.
    """

    kind: Kind
    message: str = ""
    stage: str = ""
    state: State | None = None
    seconds: float | None = None
    number: int | None = None
    total: int | None = None


class View(Protocol):
    """Shows events, one at a time."""

    def show(self, event: Event) -> None: ...

    def close(self) -> None:
        """Restores the terminal. Events may follow."""


class Log:
    """Sends events to a view. Thread-safe."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._lock = threading.Lock()
        self._here = threading.local()

    def info(self, message: str) -> None:
        self.tell(Event("info", message, self._stage))

    def warn(self, message: str) -> None:
        self.tell(Event("warning", message, self._stage))

    def progress(self, message: str) -> None:
        """Reports the progress of the current step; each report replaces the one before."""
        self.tell(Event("progress", message, self._stage))

    @contextmanager
    def step(self, message: str) -> Iterator[None]:
        """Reports a step when it starts, and its duration when it is done; nothing when it raises, as the error will
        do."""
        self.tell(Event("step", message, self._stage, "running"))
        started = time.monotonic()
        yield
        self.tell(Event("step", message, self._stage, "done", time.monotonic() - started))

    @contextmanager
    def build(self, stages: Mapping[str, State]) -> Iterator[None]:
        """Reports the states of all stages when a build starts: each is fresh or waiting."""
        for name, state in stages.items():
            self.tell(Event("stage", stage=name, state=state))
        try:
            yield
        finally:
            with self._lock:
                self._view.close()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Reports a stage that is built in this thread, and assigns the events within to it."""
        self._here.stage = name
        self.tell(Event("stage", stage=name, state="running"))
        started = time.monotonic()
        try:
            yield
        except Exception as error:
            self.tell(Event("stage", str(error), name, "failed", time.monotonic() - started))
            raise
        except BaseException:
            self.tell(Event("stage", stage=name, state="stopped", seconds=time.monotonic() - started))
            raise
        else:
            self.tell(Event("stage", stage=name, state="done", seconds=time.monotonic() - started))
        finally:
            self._here.stage = ""

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Restores the terminal, and blocks threads that report events until the end."""
        with self._lock:
            self._view.close()
            yield

    def tell(self, event: Event) -> None:
        """Sends an event to the view, its message made safe by `visible`: much of it is foreign text."""
        event = replace(event, message=visible(event.message))
        with self._lock:
            self._view.show(event)

    @property
    def _stage(self) -> str:
        return getattr(self._here, "stage", "")


def duration(seconds: float) -> str:
    """Formats seconds: `4.2 s`, `3 min 20 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def size(count: int) -> str:
    """Formats bytes as MB with one decimal, or KB when less than one."""
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{count / 1e3:.1f} KB"
