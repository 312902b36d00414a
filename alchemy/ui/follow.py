"""Follows the log of a running stage: its last lines, and the package that it builds, of how many."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alchemy.ui.events import Event, Log

_INTERVAL = 0.25  # seconds
_LINES = 3

# everything except text and newlines: colours, cursor movement, other controls
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\S\n ]|[\x00-\x09\x0b-\x1f\x7f]")


@contextmanager
def following(log: Log, stage: str, path: Path, progress: re.Pattern[str] | None) -> Iterator[None]:
    """Reports the lines written to the file `path` to `log` until the block ends. The file need not exist yet.

    `progress` matches a line that names a package, with the groups `number`, `total` and `name`.
    """
    ended = threading.Event()
    follower = _Follower(log, stage, path, progress)
    thread = threading.Thread(target=follower.run, args=(ended,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class _Follower:
    def __init__(self, log: Log, stage: str, path: Path, progress: re.Pattern[str] | None) -> None:
        self._log = log
        self._stage = stage
        self._path = path
        self._progress = progress
        self._position = 0
        self._last: list[str] = []

    def run(self, ended: threading.Event) -> None:
        while not ended.wait(_INTERVAL):
            self._look()
        self._look()

    def _look(self) -> None:
        """Reports the complete lines that are new."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                new, end, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return
        self._position += len(new) + len(end)
        lines = [_CONTROL.sub("", line).strip() for line in new.decode(errors="replace").split("\n")]
        for match in filter(None, map(self._progress.match, lines)) if self._progress else ():
            number, total = int(match["number"]), int(match["total"])
            self._log.tell(Event("package", match["name"], self._stage, number=number, total=total))
        last = [*self._last, *filter(None, lines)][-_LINES:]
        if last != self._last:
            self._last = last
            self._log.tell(Event("output", "\n".join(last), self._stage))
