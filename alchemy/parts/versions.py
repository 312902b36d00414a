"""Compares versions as their ecosystem does: ebuilds, Debian packages, and releases of upstream projects."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

Scheme = Literal["ebuild", "debian", "upstream"]

_LONGEST = 256  # characters

# PMS, section 3.2
_EBUILD = re.compile(
    r"(?P<numbers>[0-9]+(?:\.[0-9]+)*)(?P<letter>[a-z]?)(?P<suffixes>(?:_(?:alpha|beta|pre|rc|p)[0-9]*)*)"
    r"(?:-r(?P<revision>[0-9]+))?"
)
_EBUILD_SUFFIX = re.compile(r"_([a-z]+)([0-9]*)")

# deb-version(7)
_DEBIAN = re.compile(r"(?:(?P<epoch>[0-9]+):)?(?P<upstream>[0-9][0-9A-Za-z.+:~-]*?)(?:-(?P<revision>[0-9A-Za-z.+~]+))?")
_DEBIAN_PART = re.compile(r"([^0-9]*)([0-9]*)")

# What projects write: v1.2, 1.2.3rc1, 1.2-rc.1, 9.8p1, 1.1.1w, 7.1-15. What follows `+` is build metadata (SemVer).
_UPSTREAM = re.compile(
    r"v?(?P<numbers>[0-9]+(?:\.[0-9]+)*)(?P<letter>(?:[a-z](?![a-z0-9.]))?)"
    r"(?P<suffixes>(?:[._ -]?(?:alpha|beta|pre|rc|[abp])[._ -]?[0-9]*|[_-][0-9]+)*)(?:\+[0-9A-Za-z.+~-]*)?"
)
_UPSTREAM_SUFFIX = re.compile(r"[._ -]?([a-z]*)[._ -]?([0-9]*)")

# Relative to the version without a suffix, which is 0. A bare number (7.1-15) counts patches, as `p` does.
_RANKS = {"alpha": -4, "a": -4, "beta": -3, "b": -3, "pre": -2, "rc": -1, "p": 1, "": 1}
_END = (0, 0)


def compare(scheme: Scheme, left: str, right: str) -> int:
    """Returns a number below, equal to or above 0 as `left` is older than, the same as or newer than `right`.

    Raises ValueError for a text that is not a version of the scheme.
    """
    return _COMPARERS[scheme](left, right)


def check(scheme: Scheme, version: str) -> None:
    """Raises ValueError for a text that is not a version of the scheme."""
    compare(scheme, version, version)


def _parsed(pattern: re.Pattern[str], kind: str, version: str) -> re.Match[str]:
    match = pattern.fullmatch(version) if len(version) <= _LONGEST else None
    if match is None:
        raise ValueError(f"not a version of {kind} ({version[:40]!r})")
    return match


def _sign(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


def _ebuild(left: str, right: str) -> int:
    """Compares as PMS does (section 3.3): 1.10 is newer than 1.9 but 1.01 older than 1.1, and 1.0 older than 1.0.0."""
    a, b = (_parsed(_EBUILD, "an ebuild", version) for version in (left, right))
    return (
        _ebuild_numbers(a["numbers"].split("."), b["numbers"].split("."))
        or _sign(a["letter"], b["letter"])
        or _sign(*(_suffixes(_EBUILD_SUFFIX, match["suffixes"]) for match in (a, b)))
        or _sign(*(int(match["revision"] or 0) for match in (a, b)))
    )


def _ebuild_numbers(left: Sequence[str], right: Sequence[str]) -> int:
    if first := _sign(int(left[0]), int(right[0])):
        return first
    for a, b in zip(left[1:], right[1:], strict=False):
        as_text = a.startswith("0") or b.startswith("0")
        found = _sign(a.rstrip("0"), b.rstrip("0")) if as_text else _sign(int(a), int(b))
        if found:
            return found
    return _sign(len(left), len(right))


def _suffixes(pattern: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    found = [(name, number) for name, number in pattern.findall(text) if name or number]
    return [*((_RANKS[name], int(number or 0)) for name, number in found), _END]


def _debian(left: str, right: str) -> int:
    """Compares as dpkg does: epoch, upstream's version, Debian's revision; `~` sorts before the end."""
    a, b = (_parsed(_DEBIAN, "a Debian package", version) for version in (left, right))
    return (
        _sign(int(a["epoch"] or 0), int(b["epoch"] or 0))
        or _debian_part(a["upstream"], b["upstream"])
        or _debian_part(a["revision"] or "0", b["revision"] or "0")
    )


def _debian_part(left: str, right: str) -> int:
    pairs = itertools.zip_longest(_DEBIAN_PART.findall(left), _DEBIAN_PART.findall(right), fillvalue=("", ""))
    for (text, number), (other_text, other_number) in pairs:
        found = _sign(_order(text), _order(other_text)) or _sign(int(number or 0), int(other_number or 0))
        if found:
            return found
    return 0


def _order(text: str) -> list[int]:
    """Returns the sort key of a part without digits: `~`, the end, letters, then everything else."""
    return [*(-1 if c == "~" else ord(c) if c.isalpha() else ord(c) + 256 for c in text), 0]


def _upstream(left: str, right: str) -> int:
    """Compares releases by their numbers: 1.0 is the same as 1.0.0, 1.2rc1 older than 1.2, and 1.2p1 newer."""
    a, b = (_parsed(_UPSTREAM, "an upstream project", version.strip().lower()) for version in (left, right))
    return (
        _sign(_numbers(a["numbers"]), _numbers(b["numbers"]))
        or _sign(a["letter"], b["letter"])
        or _sign(*(_suffixes(_UPSTREAM_SUFFIX, match["suffixes"]) for match in (a, b)))
    )


def _numbers(text: str) -> list[int]:
    numbers = [int(number) for number in text.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers


_COMPARERS: dict[Scheme, Callable[[str, str], int]] = {"ebuild": _ebuild, "debian": _debian, "upstream": _upstream}
