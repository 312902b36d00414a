"""Draws measurements over time as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from alchemy_node.burnin.series import Point

WIDTH, HEIGHT = 860, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 10, 22, 24
# told apart by people who see no red or no green; lines beyond these share them
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#b8860b", "#000000", "#7f7f7f")
_MOST_LEGEND = 16
# the difference of two such values is still a number
_MOST = 1e300
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Line:
    """What is drawn in one colour."""

    label: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Band:
    """A stretch of time with a name: a step."""

    label: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Mark:
    """A moment at which something failed."""

    label: str
    moment: datetime


@dataclass(frozen=True)
class _Frame:
    start: float
    end: float
    low: float
    high: float

    def x(self, moment: datetime) -> str:
        share = (moment.timestamp() - self.start) / (self.end - self.start)
        return f"{_LEFT + min(max(share, 0), 1) * (WIDTH - _LEFT - _RIGHT):.1f}"

    def y(self, value: float) -> str:
        share = (value - self.low) / (self.high - self.low)
        return f"{HEIGHT - _BOTTOM - min(max(share, 0), 1) * (HEIGHT - _TOP - _BOTTOM):.1f}"


def chart(title: str, unit: str, lines: Sequence[Line], bands: Sequence[Band], marks: Sequence[Mark]) -> str:
    """Returns a figure of lines over time, with the steps behind them and the failures in red; empty without points."""
    drawn = [line for line in lines if line.points]
    if not drawn:
        return ""
    frame = _frame(drawn, bands)
    heading = f"{title}, {unit}" if unit else title
    body = [*_bands(frame, bands), *_grid(frame), *_marks(frame, marks)]
    body += [_line(frame, line, _COLOURS[index % len(_COLOURS)]) for index, line in enumerate(drawn)]
    return (
        f'<figure><figcaption>{escape(heading)}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(heading)}">{"".join(body)}</svg><p class="legend">{"".join(_legend(drawn))}</p></figure>'
    )


def _frame(lines: Sequence[Line], bands: Sequence[Band]) -> _Frame:
    # the same time from left to right in all charts of a run
    moments = [point.moment.timestamp() for line in lines for point in line.points]
    moments += [moment.timestamp() for band in bands for moment in (band.start, band.end)]
    lowest = _drawable(min(point.low for line in lines for point in line.points))
    highest = _drawable(max(point.high for line in lines for point in line.points))
    # keeps a flat line in the middle
    room = max(highest / 20 - lowest / 20, abs(highest) / 100, 0.5)
    low = max(lowest - room, 0.0) if lowest >= 0 else lowest - room
    return _Frame(min(moments), max(max(moments), min(moments) + 1), low, highest + room)


def _drawable(value: float) -> float:
    return min(max(value, -_MOST), _MOST)


def _line(frame: _Frame, line: Line, colour: str) -> str:
    """Returns the highest values from left to right and the lowest back: a line, or a band of merged points."""
    points = sorted(line.points, key=lambda point: point.moment)
    tops = [f"{frame.x(point.moment)},{frame.y(point.high)}" for point in points]
    lows = [f"{frame.x(point.moment)},{frame.y(point.low)}" for point in reversed(points)]
    return (
        f'<polygon points="{" ".join(tops + lows)}" fill="{colour}" fill-opacity="0.25" stroke="{colour}" '
        f'stroke-width="1.3"><title>{escape(line.label)}</title></polygon>'
    )


def _bands(frame: _Frame, bands: Sequence[Band]) -> Iterator[str]:
    edge = 0.0
    for index, band in enumerate(bands):
        left, right = float(frame.x(band.start)), float(frame.x(band.end))
        if index % 2 == 0:
            yield (
                f'<rect x="{left}" y="{_TOP}" width="{max(right - left, 0.5):.1f}" '
                f'height="{HEIGHT - _TOP - _BOTTOM}" class="band"/>'
            )
        # a name that would lie over the one before it is left out
        if left >= edge:
            yield f'<text x="{left + 2}" y="{_TOP - 6}">{escape(band.label[:24])}</text>'
            edge = left + 7 * min(len(band.label), 24) + 6


def _marks(frame: _Frame, marks: Sequence[Mark]) -> Iterator[str]:
    for mark in marks:
        x = frame.x(mark.moment)
        yield (
            f'<line x1="{x}" x2="{x}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}" class="mark">'
            f"<title>{escape(mark.label)}</title></line>"
        )


def _grid(frame: _Frame) -> Iterator[str]:
    for value in _ticks(frame.low, frame.high):
        y = frame.y(value)
        yield f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}" class="grid"/>'
        yield f'<text x="{_LEFT - 5}" y="{y}" dy="4" text-anchor="end">{value:.6g}</text>'
    pattern = "%H:%M:%S" if frame.end - frame.start < 600 else "%d %b %H:%M"
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        moment = datetime.fromtimestamp(frame.start + share * (frame.end - frame.start), UTC)
        yield (f'<text x="{frame.x(moment)}" y="{HEIGHT - 8}" text-anchor="{anchor}">{moment.strftime(pattern)}</text>')


def _ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in _STEPS if power * factor >= rough)
    first = math.ceil(low / step)
    return [number * step for number in range(first, first + 7) if number * step <= high]


def _legend(lines: Sequence[Line]) -> Iterator[str]:
    for index, line in enumerate(lines[:_MOST_LEGEND]):
        colour = _COLOURS[index % len(_COLOURS)]
        high = max(point.high for point in line.points)
        # no style attribute: a strict policy of content forbids those
        key = f'<svg viewBox="0 0 1 1" aria-hidden="true"><rect width="1" height="1" fill="{colour}"/></svg>'
        yield f"<span>{key}{escape(line.label)} (max {high:.6g})</span> "
    if len(lines) > _MOST_LEGEND:
        yield f"<span>and {len(lines) - _MOST_LEGEND} more</span>"
