"""The words and values of OCP Test & Validation output, version 2.0.

Source of the format: the specification of opencomputeproject/ocp-diag-core (json_spec). Its published schema is
stricter than its prose, and this module keeps to the stricter of the two: an optional field is left out and never
null, every id is a string, a validator's value is never a list, a timestamp ends in Z.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

Value = str | int | float | bool

Status = Literal["COMPLETE", "ERROR", "SKIP"]
Result = Literal["PASS", "FAIL", "NOT_APPLICABLE"]
Type = Literal["PASS", "FAIL", "UNKNOWN"]
Severity = Literal["INFO", "DEBUG", "WARNING", "ERROR", "FATAL"]
SoftwareType = Literal["UNSPECIFIED", "FIRMWARE", "SYSTEM", "APPLICATION"]
Comparison = Literal[
    "EQUAL",
    "NOT_EQUAL",
    "LESS_THAN",
    "LESS_THAN_OR_EQUAL",
    "GREATER_THAN",
    "GREATER_THAN_OR_EQUAL",
    "REGEX_MATCH",
    "REGEX_NO_MATCH",
    "IN_SET",
    "NOT_IN_SET",
]

STATUSES: frozenset[str] = frozenset(get_args(Status))
TYPES: frozenset[str] = frozenset(get_args(Type))
SEVERITIES: frozenset[str] = frozenset(get_args(Severity))
# the only ends of a run; the published schema allows every pair
ENDS = frozenset({("COMPLETE", "PASS"), ("COMPLETE", "FAIL"), ("ERROR", "NOT_APPLICABLE"), ("SKIP", "NOT_APPLICABLE")})

# a name, an id or a serial number; a message or a value that is a string
NAME_LENGTH = 200
TEXT_LENGTH = 4000


@dataclass(frozen=True)
class Hardware:
    """A part of the machine. `location` is the text printed on the board or the bay; `id` is unique in a run."""

    id: str
    name: str
    location: str | None = None
    part_type: str | None = None
    manufacturer: str | None = None
    manufacturer_part_number: str | None = None
    serial_number: str | None = None
    version: str | None = None

    def fields(self) -> dict[str, Value]:
        """Returns the object hardwareInfo."""
        return _fields(self, "hardwareInfoId")


@dataclass(frozen=True)
class Software:
    """Firmware or software of the machine; `id` is unique in a run."""

    id: str
    name: str
    version: str | None = None
    software_type: SoftwareType | None = None

    def fields(self) -> dict[str, Value]:
        """Returns the object softwareInfo."""
        return _fields(self, "softwareInfoId")


@dataclass(frozen=True)
class Validator:
    """A limit that a measurement has to keep. A set of strings is written as one regular expression."""

    type: Comparison
    value: Value
    name: str | None = None

    def fields(self) -> dict[str, Value]:
        """Returns the object validator."""
        fields: dict[str, Value] = {"type": self.type, "value": plain(self.value)}
        return fields if self.name is None else {"name": short(self.name), **fields}


def plain(value: Value) -> Value:
    """Returns a value that JSON can hold: infinity and NaN become words, a long string is cut."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return text(value) if isinstance(value, str) else value


def text(message: str) -> str:
    """Returns a message of bounded length that is valid Unicode."""
    return _bounded(message, TEXT_LENGTH)


def short(name: str) -> str:
    """Returns a name or an id of bounded length that is valid Unicode."""
    return _bounded(name, NAME_LENGTH)


def clean(parameters: Mapping[str, object]) -> object:
    """Returns a copy of an object of JSON in which every string is valid Unicode."""
    copy: object = json.loads(json.dumps(parameters, ensure_ascii=False).encode("utf-8", "replace"))
    return copy


def timestamp(moment: datetime) -> str:
    """Returns a moment as RFC 3339 has it, in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _bounded(value: str, most: int) -> str:
    # a lone surrogate (from a file name or a serial number that was not UTF-8) is not valid in JSON
    clean = value.encode("utf-8", "replace").decode("utf-8")
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def _fields(info: Hardware | Software, identifier: str) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    for field in dataclasses.fields(info):
        value = getattr(info, field.name)
        if value is None:
            continue
        first, *rest = field.name.split("_")
        key = identifier if field.name == "id" else first + "".join(word.capitalize() for word in rest)
        fields[key] = short(str(value))
    return fields
