"""What happens in a build, told as it happens. How it is shown is up to a view (views.py)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["info", "warning", "step", "stage", "progress", "package", "output"]
State = Literal["fresh", "waiting", "running", "done", "failed", "stopped"]


@dataclass(frozen=True)
class Event:
    """Something that happens. `stage` is the one that it happens in; a stage and a step have a `state`, and seconds
    once they are done; a package is the `number`th of `total`; output is the last lines of the stage's log."""

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
        """Leaves the terminal as it was found. Events may follow."""


class Log:
    """Tells a view what happens. Safe to use from several threads."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._lock = threading.Lock()
        self._here = threading.local()

    def info(self, message: str) -> None:
        self.tell(Event("info", message, self._stage))

    def warn(self, message: str) -> None:
        self.tell(Event("warning", message, self._stage))

    def progress(self, message: str) -> None:
        """How far something is: the latest counts."""
        self.tell(Event("progress", message, self._stage))

    @contextmanager
    def step(self, message: str) -> Iterator[None]:
        """Announces a step, and says how long it took when it is complete. Silent when it raises: the error speaks."""
        self.tell(Event("step", message, self._stage, "running"))
        started = time.monotonic()
        yield
        self.tell(Event("step", message, self._stage, "done", time.monotonic() - started))

    @contextmanager
    def build(self, stages: Mapping[str, State]) -> Iterator[None]:
        """A build of these stages, which are fresh or waiting."""
        for name, state in stages.items():
            self.tell(Event("stage", stage=name, state=state))
        try:
            yield
        finally:
            with self._lock:
                self._view.close()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """A stage that is built in this thread: what is told within is about it."""
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

    def tell(self, event: Event) -> None:
        with self._lock:
            self._view.show(event)

    @property
    def _stage(self) -> str:
        return getattr(self._here, "stage", "")


def duration(seconds: float) -> str:
    """Seconds as a person says them: `4.2 s`, `3 min 20 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def size(count: int) -> str:
    """Bytes as MB with one decimal, or KB below one."""
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{count / 1e3:.1f} KB"
