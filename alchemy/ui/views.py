"""The views of a build: a live table on a terminal, lines with the time elsewhere, JSON for CI."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from alchemy.ui.events import Event, State, View, duration

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.live import Live

# the values of TERM on serial lines (agetty), and of terminals that cannot move the cursor up
_PLAIN_TERMINALS = frozenset({"dumb", "unknown", "vt100", "vt102", "vt220"})

_STYLES: dict[State, str] = {
    "fresh": "dim", "waiting": "dim", "running": "bold", "done": "green", "failed": "bold red", "stopped": "yellow",
}  # fmt: skip

_REFRESHES = 4  # a second


def choose(*, events: bool) -> View:
    """Returns the view that prints JSON `events` on stdout, or else the one that suits stderr."""
    if events:
        return Events()
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM", "dumb") in _PLAIN_TERMINALS
    if plain or not sys.stderr.isatty():
        return Lines(sys.stderr)
    from rich.console import Console

    return Screen(Console(stderr=True, highlight=False))


class Events:
    """Prints one JSON object per line on stdout: the event, its time, and the fields of events.Event that are set."""

    def show(self, event: Event) -> None:
        if event.kind == "output":
            return
        told = {name: value for name, value in asdict(event).items() if value not in (None, "")}
        kind = told.pop("kind")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        print(json.dumps({"time": now, "event": kind, **told}), flush=True)

    def close(self) -> None:
        """Does nothing: the terminal was not changed."""


class Lines:
    """Prints one line per event, with the time first."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def show(self, event: Event) -> None:
        text = _line(event)
        if text:
            print(time.strftime("%H:%M:%S"), text, file=self._file, flush=True)

    def close(self) -> None:
        """Does nothing: the terminal was not changed."""


def _line(event: Event) -> str:
    """Formats an event as a line; empty for an event that is not shown."""
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
    """A row of the table: a stage."""

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
    """Shows a table with a line per stage, and the end of the log under each running one. Messages go above it."""

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
            if line := _line(event):
                self._console.print(line, style=style, markup=False, emoji=False, soft_wrap=True)
        elif event.kind == "step":
            row.step, row.progress = event.message.removeprefix(f"{event.stage}: "), ""
        elif event.kind == "package":
            row.progress = f"{event.number} of {event.total}: {event.message}"
        elif event.kind == "progress":
            row.progress = event.message
        else:
            row.output = event.message

    def close(self) -> None:
        """Stops updating the table, and leaves it on the screen without the stages that did not run."""
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
        """Shows the table when the first stage runs: there is none when everything is fresh."""
        from rich.live import Live

        if self._live is None:
            self._live = Live(console=self._console, get_renderable=self.table, refresh_per_second=_REFRESHES)
            self._live.start()

    def table(self) -> Group:
        """Returns the current table, each line cut to the width of the terminal."""
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
