"""Expectations files: read, and checked whole, so that all errors are told at once."""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alchemy_node import web
from alchemy_node.expect.conditions import LIMIT, Condition, Kind, number
from alchemy_node.expect.sections import MANY, SINGLE, WHEN, Section
from alchemy_node.text import printable

_MOST_ERRORS = 50


class ExpectationsError(Exception):
    """An invalid expectations file: its text has all errors, one a line."""


@dataclass(frozen=True)
class Table:
    """A table on parts of one section: conditions by key, how many parts there are, and in which places."""

    section: Section
    selecting: Mapping[str, Condition]
    checked: Mapping[str, Condition]
    count: Condition | None = None
    counted: Mapping[str, Condition] = field(default_factory=dict)
    places: tuple[str, ...] = ()


@dataclass(frozen=True)
class Expected:
    """What machines of a kind have to be."""

    name: str
    when: Mapping[str, Condition]
    tables: tuple[Table, ...]


def load(source: str, sha256: str = "") -> tuple[Expected, ...]:
    """Reads a file, or an http or https URL; `sha256` is its digest in hexadecimal, empty for none.

    Raises ExpectationsError, web.WebError.
    """
    if web.is_url(source):
        return parse(source, web.fetch(source, sha256=sha256))
    try:
        with Path(source).open("rb") as file:
            data = file.read(web.SMALL + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not the name of a file"
        raise ExpectationsError(f"{printable(source)}: cannot be read: {reason}") from error
    found = hashlib.sha256(data).hexdigest()
    if sha256 and found != sha256.lower():
        raise ExpectationsError(f"{source}: digest mismatch (expected SHA-256 {sha256.lower()}, got {found})")
    return parse(source, data)


def parse(name: str, data: bytes) -> tuple[Expected, ...]:
    """Checks the content of a file. Raises ExpectationsError."""
    if len(data) > web.SMALL:
        raise ExpectationsError(f"{name}: too large (expected at most {web.SMALL} bytes)")
    try:
        content = tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        raise ExpectationsError(f"{name}: not UTF-8 (byte {error.start})") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ExpectationsError(f"{name}: not TOML: {ascii(str(error))[1:-1]}") from error
    reader = _Reader()
    machines = reader.machines(content)
    if reader.errors:
        left = len(reader.errors) - _MOST_ERRORS
        lines = reader.errors[:_MOST_ERRORS] + ([f"{left} more errors"] if left > 0 else [])
        raise ExpectationsError("\n".join(f"{name}: {line}" for line in lines))
    return machines


class _Reader:
    """Reads the tables, and keeps their faults."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def machines(self, content: Mapping[str, object]) -> tuple[Expected, ...]:
        self._known("", content, ["machine"])
        listed = content.get("machine")
        if not isinstance(listed, list) or not listed:
            self.errors.append("machine: missing (expected one [[machine]] table or more)")
            return ()
        return tuple(self._machine(f"machine {number}", each) for number, each in enumerate(listed, 1))

    def _machine(self, place: str, content: object) -> Expected:
        if not isinstance(content, dict):
            self.errors.append(f"{place}: expected a table, got {_shown(content)}")
            return Expected("", {}, ())
        self._known(place, content, ["name", "when", *SINGLE, *MANY])
        when = self._conditions(f"{place}: when", self._table(f"{place}: when", content.get("when")), WHEN)
        tables = [
            Table(section, {}, self._conditions(where, self._table(where, content[key]), section.checked))
            for key, section in SINGLE.items()
            for where in [f"{place}: {key}"]
            if key in content
        ]
        for key, section in MANY.items():
            tables += self._tables(f"{place}: {key}", content.get(key, []), section)
        if content.keys() <= {"name", "when"}:
            self.errors.append(f"{place}: nothing is expected of it (expected a table like [machine.dimms])")
        name = content.get("name", printable(", ".join(condition.text for condition in when.values())))
        if not isinstance(name, str) or len(name) > LIMIT or not name.isprintable():
            self.errors.append(f"{place}: name: expected a text of one line, got {_shown(name)}")
        return Expected(str(name), when, tuple(tables))

    def _table(self, place: str, content: object) -> Mapping[str, object]:
        if isinstance(content, dict) and content:
            return content
        missing = 'missing (expected a table like { product = "PowerEdge R640" })'
        self.errors.append(f"{place}: {missing if content is None else f'expected a table, got {_shown(content)}'}")
        return {}

    def _tables(self, place: str, content: object, section: Section) -> list[Table]:
        several = isinstance(content, list)
        listed = content if isinstance(content, list) else [content]
        tables = []
        for index, each in enumerate(listed, 1):
            where = f"{place} {index}" if several else place
            table = self._table(where, each)
            own = ["count", *([section.places.key] if section.places else []), *section.counted]
            self._known(where, table, [*own, *section.selecting, *section.checked])
            counts = {key: table[key] for key in ("count", *section.counted) if key in table}
            numbers = self._conditions(where, counts, dict.fromkeys(counts, number), complain=False)
            tables.append(
                Table(
                    section,
                    self._conditions(where, table, section.selecting, complain=False),
                    self._conditions(where, table, section.checked, complain=False),
                    numbers.pop("count", None),
                    numbers,
                    self._places(where, table, section),
                )
            )
        return tables

    def _places(self, where: str, table: Mapping[str, object], section: Section) -> tuple[str, ...]:
        key = section.places.key if section.places else ""
        if key not in table:
            return ()
        value = table[key]
        if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
            self.errors.append(f"{where}: {key}: expected a list of names, got {_shown(value)}")
            return ()
        twice = sorted({item for item in value if value.count(item) > 1}) if len(value) <= LIMIT else ["too many"]
        if twice:
            self.errors.append(f"{where}: {key}: duplicate {_shown(twice[0])}")
        if "count" in table:
            self.errors.append(f"{where}: count: {key} says how many (expected one of both)")
        return tuple(value)

    def _conditions(
        self, where: str, table: Mapping[str, object], kinds: Mapping[str, Kind], complain: bool = True
    ) -> dict[str, Condition]:
        if complain:
            self._known(where, table, kinds)
        made = {}
        for key, kind in kinds.items():
            if key in table:
                try:
                    made[key] = kind(table[key])
                except ValueError as error:
                    self.errors.append(f"{where}: {key}: {error}")
        return made

    def _known(self, where: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
        keys = list(known)
        for key in table:
            if key not in keys:
                near = difflib.get_close_matches(key[:LIMIT], keys, 1, 0.5)
                hint = f"nearest: {near[0]}" if near else f"expected {', '.join(keys)}"
                self.errors.append(f"{f'{where}: ' if where else ''}{_key(key)}: unknown key ({hint})")


def _key(key: str) -> str:
    return key if key.isascii() and key.isprintable() and len(key) <= 60 else _shown(key)


def _shown(value: object) -> str:
    return ascii(value)[:60]
