"""A measurement over time, in bounded memory."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

# a chart of 1024 pixels shows no more
MOST_POINTS = 512


@dataclass(frozen=True)
class Point:
    """The values of a stretch of time: its first moment, the lowest and the highest value."""

    moment: datetime
    low: float
    high: float


def merged(points: Sequence[Point], most: int) -> list[Point]:
    """Returns at most `most` points: neighbours are merged, and extremes are never lost."""
    stretch = max(1, -(-len(points) // most))
    stretches = [points[at : at + stretch] for at in range(0, len(points), stretch)]
    return [
        Point(some[0].moment, min(point.low for point in some), max(point.high for point in some)) for some in stretches
    ]


class Series:
    """A series of measurements. When there are too many points, neighbours are merged: extremes are never lost."""

    def __init__(self, identifier: str, step_id: str, name: str, unit: str | None, hardware: str | None) -> None:
        """Begins a series without values."""
        self.id = identifier
        self.step_id = step_id
        self.name = name
        self.unit = unit
        self.hardware = hardware
        self.ended = False
        self.count = 0
        self.last: float | None = None
        self._moments, self._lows, self._highs = array("d"), array("d"), array("d")
        # so many values make a point; the newest point has taken `_taken` of them
        self._stretch = 1
        self._taken = 1

    def add(self, moment: datetime, value: float) -> None:
        """Adds a value. One that is not finite is counted, and has no point."""
        self.count += 1
        if not math.isfinite(value):
            return
        self.last = value
        if self._taken < self._stretch and self._lows:
            self._lows[-1] = min(self._lows[-1], value)
            self._highs[-1] = max(self._highs[-1], value)
            self._taken += 1
            return
        if len(self._lows) == MOST_POINTS:
            self._moments = self._moments[::2]
            self._lows = array("d", map(min, self._lows[::2], self._lows[1::2]))
            self._highs = array("d", map(max, self._highs[::2], self._highs[1::2]))
            self._stretch *= 2
        self._moments.append(moment.timestamp())
        self._lows.append(value)
        self._highs.append(value)
        self._taken = 1

    @property
    def points(self) -> list[Point]:
        """The points, in the order in which they came."""
        columns = zip(self._moments, self._lows, self._highs, strict=True)
        return [Point(datetime.fromtimestamp(moment, UTC), low, high) for moment, low, high in columns]

    @property
    def low(self) -> float | None:
        """The lowest value."""
        return min(self._lows, default=None)

    @property
    def high(self) -> float | None:
        """The highest value."""
        return max(self._highs, default=None)
