"""What the user sees while a build runs: colour on a terminal, plain lines with the time in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text


class Log:
    """Writes one line an event to stderr. Safe to use from several threads."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True)

    def info(self, message: str) -> None:
        self._line(message, "")

    def warn(self, message: str) -> None:
        self._line(f"warning: {message}", "yellow")

    @contextmanager
    def step(self, message: str) -> Iterator[None]:
        """Announces a step, and says how long it took when it is complete. Silent when it raises: the error speaks."""
        self._line(f"{message} …", "bold")
        started = time.monotonic()
        yield
        self._line(f"{message}: done in {duration(time.monotonic() - started)}", "green")

    def _line(self, message: str, style: str) -> None:
        text = Text(message, style=style)
        if not self._console.is_terminal:
            text = Text(time.strftime("%H:%M:%S ")) + text
        self._console.print(text)


def duration(seconds: float) -> str:
    """Seconds as a person says them: `4.2 s`, `3 min 20 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def size(count: int) -> str:
    """Bytes as MB with one decimal, or KB below one."""
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{count / 1e3:.1f} KB"
