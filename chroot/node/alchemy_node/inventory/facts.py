"""What collectors hand back: facts, and why others are unknown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from alchemy_node.processes import Output

Json = dict[str, Any]

T = TypeVar("T")

_WORKERS = 16


@dataclass(frozen=True)
class Unknown:
    """What could not be read: the subject, the path or the command, and the reason in a phrase."""

    subject: str
    source: str
    reason: str


@dataclass(frozen=True)
class Found(Generic[T]):
    """The facts of one subject."""

    value: T
    unknown: tuple[Unknown, ...] = ()


def present(**values: Any) -> Json:
    """The values that are known: neither None nor empty text."""
    return {name: value for name, value in values.items() if value is not None and value != ""}


def number(text: str | None, base: int = 10) -> int | None:
    """The whole number that a text begins with ("32 GB" is 32), at least 0; None without one."""
    pattern = r"\s*(?:0[xX])?([0-9a-fA-F]{1,16})\b" if base == 16 else r"\s*([0-9]{1,18})(?![0-9])"
    found = re.match(pattern, text or "", re.ASCII)
    return int(found[1], base) if found else None


def uuid(text: str | None) -> str | None:
    """A UUID in lower case; None for other text."""
    lower = (text or "").strip().lower()
    return lower if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", lower) else None


def parse(text: str) -> Any:
    """The value of a JSON text; None for malformed text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def at(value: Any, *keys: str | int) -> Any:
    """What lies at a path of keys and indices in JSON of unknown shape; None where the path ends early."""
    for key in keys:
        if isinstance(value, dict) and isinstance(key, str):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value):
            value = value[key]
        else:
            return None
    return value


def text_at(value: Any, *keys: str | int) -> str | None:
    """The text at a path; None for anything else."""
    found = at(value, *keys)
    return found if isinstance(found, str) else None


def count_at(value: Any, *keys: str | int) -> int | None:
    """The whole number at a path, at least 0; None for anything else."""
    found = at(value, *keys)
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def items(value: Any, *keys: str | int) -> list[Any]:
    """The list at a path; empty for anything else."""
    found = at(value, *keys)
    return found if isinstance(found, list) else []


def reason(output: Output) -> str:
    """Why a program gave no result: its problem, and the first line of its errors."""
    first = next((line for line in output.stderr.splitlines() if line.strip()), "")
    problem = output.problem or "unexpected output"
    return f"{problem}: {first}" if first else problem


def all_of(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Makes the calls side by side, for programs that wait for hardware; returns their results in order."""
    if not calls:
        return []
    with ThreadPoolExecutor(min(len(calls), _WORKERS)) as pool:
        return list(pool.map(lambda call: call(), calls))
