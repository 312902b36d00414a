"""How a build is shown: a table that is kept up to date on a terminal, lines with the time elsewhere, JSON for CI."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from alchemy.log import Event, State, View, duration

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.live import Live

# what agetty calls a serial line, and terminals that cannot go back to an earlier line
_PLAIN_TERMINALS = frozenset({"dumb", "unknown", "vt100", "vt102", "vt220"})

_STYLES: dict[State, str] = {
    "fresh": "dim", "waiting": "dim", "running": "bold", "done": "green", "failed": "bold red", "stopped": "yellow",
}  # fmt: skip

_REFRESHES = 4  # a second


def choose(*, events: bool) -> View:
    """JSON `events` on stdout, or on stderr what suits whatever is there."""
    if events:
        return Events()
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM", "dumb") in _PLAIN_TERMINALS
    if plain or not sys.stderr.isatty():
        return Lines(sys.stderr)
    from rich.console import Console

    return Screen(Console(stderr=True, highlight=False))


class Events:
    """A JSON object a line on stdout: the event, its time, and what the event has of the fields of log.Event."""

    def show(self, event: Event) -> None:
        if event.kind == "output":
            return
        told = {name: value for name, value in asdict(event).items() if value not in (None, "")}
        kind = told.pop("kind")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        print(json.dumps({"time": now, "event": kind, **told}), flush=True)

    def close(self) -> None:
        """There is nothing to put right."""


class Lines:
    """A line an event, with the time before it."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def show(self, event: Event) -> None:
        text = _line(event)
        if text:
            print(time.strftime("%H:%M:%S"), text, file=self._file, flush=True)

    def close(self) -> None:
        """There is nothing to put right."""


def _line(event: Event) -> str:
    """An event as a line; empty for one that needs none."""
    if event.kind in ("info", "progress"):
        return event.message
    if event.kind == "warning":
        return f"warning: {event.message}"
    if event.kind == "package":
        return f"{event.stage}: {event.number} of {event.total}: {event.message}"
    if event.kind == "step":
        return f"{event.message} …" if event.seconds is None else f"{event.message}: done in {duration(event.seconds)}"
    return f"{event.stage}: complete after {duration(event.seconds or 0)}" if event.state == "done" else ""


@dataclass
class _Row:
    """A stage as the screen shows it."""

    state: State
    began: float = 0.0
    seconds: float | None = None
    step: str = ""
    progress: str = ""
    output: str = ""

    @property
    def elapsed(self) -> str:
        if self.state == "running":
            return duration(time.monotonic() - self.began)
        return "" if self.seconds is None else duration(self.seconds)


class Screen:
    """A line a stage, with what it is at; below those that run, the end of their logs. Messages go above."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rows: dict[str, _Row] = {}
        self._live: Live | None = None

    def show(self, event: Event) -> None:
        row = self._rows.get(event.stage)
        if event.kind == "stage":
            self._show_stage(event)
        elif event.kind in ("info", "warning") or row is None:
            style = "yellow" if event.kind == "warning" else ""
            self._console.print(_line(event), style=style, markup=False, emoji=False, soft_wrap=True)
        elif event.kind == "step":
            row.step, row.progress = event.message.removeprefix(f"{event.stage}: "), ""
        elif event.kind == "package":
            row.progress = f"{event.number} of {event.total}: {event.message}"
        elif event.kind == "progress":
            row.progress = event.message
        else:
            row.output = event.message

    def close(self) -> None:
        """Stops to update the table, which stays on the screen without the stages that were not needed."""
        if self._live is not None:
            self._rows = {name: row for name, row in self._rows.items() if row.state != "waiting"}
            self._live.stop()
            self._live = None
        self._rows = {}

    def _show_stage(self, event: Event) -> None:
        row = self._rows.setdefault(event.stage, _Row("waiting"))
        row.state, row.seconds = event.state or row.state, event.seconds
        if event.state == "running":
            row.began = time.monotonic()
            self._begin()

    def _begin(self) -> None:
        """Where everything is fresh there is no table."""
        from rich.live import Live

        if self._live is None:
            self._live = Live(console=self._console, get_renderable=self.table, refresh_per_second=_REFRESHES)
            self._live.start()

    def table(self) -> Group:
        """The stages as they are now, each cut to the width of the terminal."""
        from rich.console import Group
        from rich.text import Text

        lines = []
        for name, row in list(self._rows.items()):
            lines.append(Text(f"{name:9} {row.state:7} {row.elapsed:>13}  {_doing(row)}", _STYLES[row.state]))
            if row.state == "running":
                lines += [Text(f"  {line}", "dim") for line in row.output.splitlines()]
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        return Group(*lines)


def _doing(row: _Row) -> str:
    return " · ".join(filter(None, (row.progress, row.step))) if row.state == "running" else ""
