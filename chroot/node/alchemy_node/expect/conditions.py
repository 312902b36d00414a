"""Conditions: what a value of an expectations file says of a value of the machine.

A text is a pattern: `*` stands for any characters, `?` for one; several, in a list, are alternatives. A number is
itself, or `">= 8"`, `"<= 8"`, `"> 8"`, `"< 8"`, `"8..16"`. A size is a number of bytes, or a number with a unit
(`"16 GiB"`, `"1.92 TB"`), which may be 1 % off, as makers round; comparisons as for numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from alchemy_node import parts

LIMIT = 256  # characters of a text, items of a list

_UNITS = {
    **{unit: 1000**power for power, unit in enumerate(("B", "kB", "MB", "GB", "TB", "PB"))},
    **{unit: 1024**power for power, unit in enumerate(("KiB", "MiB", "GiB", "TiB", "PiB"), 1)},
}
_NUMBER = r"(\d{1,18}(?:\.\d{1,6})?)"
_COMPARISON = re.compile(rf"(>=|<=|>|<) ?{_NUMBER} ?([A-Za-z]{{0,3}})")
_RANGE = re.compile(rf"{_NUMBER} ?\.\. ?{_NUMBER} ?([A-Za-z]{{0,3}})")
_SIZE = re.compile(rf"{_NUMBER} ?([A-Za-z]{{1,3}})")
_ROUNDED = 0.01

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": lambda found, limit: found >= limit,
    "<=": lambda found, limit: found <= limit,
    ">": lambda found, limit: found > limit,
    "<": lambda found, limit: found < limit,
}


@dataclass(frozen=True)
class Condition:
    """A condition: `text` is how a person reads it, `show` writes a value of the machine in the same way."""

    text: str
    holds: Callable[[Any], bool]
    show: Callable[[Any], str] = str


Kind = Callable[[object], Condition]


def text(value: object) -> Condition:
    """Reads a pattern or a list of patterns. Raises ValueError."""
    items = value if isinstance(value, list) else [value]
    patterns = [item for item in items if isinstance(item, str) and 0 < len(item) <= LIMIT]
    if len(patterns) < len(items) or not 1 <= len(patterns) <= LIMIT:
        raise ValueError(f"expected a text or a list of texts, got {_shown(value)}")
    return Condition(" or ".join(patterns), lambda found: any(matches(pattern, str(found)) for pattern in patterns))


def matches(pattern: str, text: str) -> bool:
    """Tells whether a pattern fits a whole text, in time that is proportional to their lengths."""
    at = star = 0
    behind = -1  # the place behind the last star
    where = 0
    while where < len(text):
        if at < len(pattern) and pattern[at] == "*":
            behind, star = at + 1, where
            at = behind
        elif at < len(pattern) and pattern[at] in ("?", text[where]):
            at, where = at + 1, where + 1
        elif behind >= 0:
            # the last star takes one character more
            star += 1
            at, where = behind, star
        else:
            return False
    return not pattern[at:].strip("*")


def flag(value: object) -> Condition:
    """Reads true or false. Raises ValueError."""
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, got {_shown(value)}")
    return Condition(_yes(value), lambda found: found is value, _yes)


def number(value: object) -> Condition:
    """Reads a number or a comparison. Raises ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return Condition(f"{value:g}" if isinstance(value, float) else str(value), lambda found: found == value)
    compared = _compared(value, {"": 1})
    if compared is None:
        raise ValueError(f'expected a number, or a comparison like ">= 8" or "8..16", got {_shown(value)}')
    return compared


def binary_size(value: object) -> Condition:
    """Reads the size of memory. Raises ValueError."""
    return _size(value, parts.binary)


def decimal_size(value: object) -> Condition:
    """Reads the size of a disk. Raises ValueError."""
    return _size(value, parts.decimal)


def _size(value: object, show: Callable[[int], str]) -> Condition:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Condition(_exact(value, show), lambda found: found == value, lambda found: _exact(found, show))
    if isinstance(value, str) and (plain := _SIZE.fullmatch(value)) and plain[2] in _UNITS:
        size = float(plain[1]) * _UNITS[plain[2]]
        return Condition(value, lambda found: abs(found - size) <= size * _ROUNDED, show)
    compared = _compared(value, _UNITS, show)
    if compared is None:
        raise ValueError(f'expected bytes, or a size like "16 GiB" or ">= 1.9 TB", got {_shown(value)}')
    return compared


def _exact(size: int, show: Callable[[int], str]) -> str:
    return f"{show(size)} ({size} bytes)"


def _compared(value: object, units: dict[str, int], show: Callable[[Any], str] = str) -> Condition | None:
    if not isinstance(value, str):
        return None
    if (parts := _COMPARISON.fullmatch(value)) and parts[3] in units:
        compare, limit = _COMPARE[parts[1]], float(parts[2]) * units[parts[3]]
        return Condition(value, lambda found: compare(found, limit), show)
    if (parts := _RANGE.fullmatch(value)) and parts[3] in units and float(parts[1]) <= float(parts[2]):
        low, high = (float(parts[index]) * units[parts[3]] for index in (1, 2))
        return Condition(value, lambda found: low <= found <= high, show)
    return None


def _yes(value: Any) -> str:
    return "yes" if value else "no"


def _shown(value: object) -> str:
    return ascii(value)[:60]
