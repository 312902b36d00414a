"""Reads the lines of a run with the node's own code, and remembers the results."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from alchemy.commands import node as node_code
from alchemy.rack.records import runs
from alchemy.rack.records.runs import Run

if TYPE_CHECKING:
    from alchemy_node.burnin.model import Run as Reading

_MOST_KEPT = 8
_BATCH = 1000
# a page does not wait for more; a burn-in of two days on a large machine has about as many
MOST_LINES = 200_000


@dataclass
class _Kept:
    """A run as far as it was read: `count` lines, all of those before the sequenceNumber `next`."""

    reading: Reading
    count: int = 0
    next: int = 0


class Readings:
    """Runs as their reports show them. Of a run that was read before, only the lines that came since are read."""

    def __init__(self) -> None:
        """Begins with nothing read."""
        node_code.find()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = Lock()

    def read(self, connection: Connection, run: Run) -> Reading:
        """Returns a run after the lines that its record counts."""
        with self._lock:
            kept = self._kept.pop(run.id, None) or _begin()
            _take(connection, run, kept)
            # a line came late, before others that were read: all of them again, in their order
            if kept.count < min(run.lines, MOST_LINES):
                kept = _begin()
                _take(connection, run, kept)
            self._kept[run.id] = kept
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
            return kept.reading


def _begin() -> _Kept:
    from alchemy_node.burnin.model import Run as Reading

    return _Kept(Reading())


def _take(connection: Connection, run: Run, kept: _Kept) -> None:
    """Reads the lines after those that were read."""
    from alchemy_node.burnin import reader

    most = min(run.lines, MOST_LINES)
    while kept.count < most:
        lines = runs.lines(connection, run.id, first=kept.next, limit=min(_BATCH, most - kept.count))
        if not lines:
            return
        for line in lines:
            reader.accept(kept.reading, line.encode())
        kept.count += len(lines)
        kept.next = json.loads(lines[-1])["sequenceNumber"] + 1
