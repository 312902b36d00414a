"""Reads what `lspci -nn` and `lspci -n` print, with or without -D, -v and -k."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from alchemy.parts.hardware.functions import Function, shown
from alchemy.parts.hardware.malformed import MalformedError

NAME = "lspci -nn"

_ADDRESS = r"(?P<address>(?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])"
_FIRST = re.compile(rf"{_ADDRESS} ", re.IGNORECASE)
_CLASS = r"(?P<base>[0-9a-f]{2})(?P<sub>[0-9a-f]{2})"
_IDS = r"(?P<vendor>[0-9a-f]{4}):(?P<device>[0-9a-f]{4})"
_REST = r"(?P<rest>.{0,200})"
_FUNCTIONS = tuple(
    re.compile(f"{_ADDRESS} {form}{_REST}", re.IGNORECASE)
    for form in (
        rf"[^\[]{{0,200}}\[{_CLASS}\]: (?P<name>.{{0,1000}})\[{_IDS}\]",
        # of lspci -n
        rf"{_CLASS}:(?P<name>) {_IDS}",
        # lspci cuts a long name, and the ids with it
        rf"[^\[]{{0,200}}\[{_CLASS}\]: (?P<name>.{{0,1000}})\.\.\.(?P<vendor>)(?P<device>)",
    )
)
_INTERFACE = re.compile(r"\(prog-if ([0-9a-f]{2})", re.IGNORECASE)
_SUBSYSTEM = re.compile(r"\s+Subsystem: .{0,1000}\[([0-9a-f]{4}):([0-9a-f]{4})\]", re.IGNORECASE)
_DRIVER = re.compile(r"\s+Kernel driver in use: (\S{1,64})")


def recognises(text: str) -> bool:
    """Returns whether a text has a line that begins like a function."""
    return any(_FIRST.match(line) for line in text.splitlines())


def functions(text: str) -> Iterator[Function]:
    """Yields the functions. Raises MalformedError for a list without ids, or with a last line that is cut."""
    found: Function | None = None
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if _FIRST.match(line):
            if found:
                yield found
            found = _function(line, cut=number == len(lines) and not text.endswith("\n"))
        elif found:
            found = _detailed(found, line)
    if found:
        yield found


def _function(line: str, *, cut: bool) -> Function:
    match = next((match for form in _FUNCTIONS if (match := form.fullmatch(line.rstrip()))), None)
    if match is None and cut:
        raise MalformedError("truncated in its last line")
    if match is None:
        raise MalformedError(f"a function without ids: {line[:100]}", hint="lspci -nn")
    interface = _INTERFACE.search(match["rest"])
    vendor, device, base, sub = (
        int(match[name], 16) if match[name] else None for name in ("vendor", "device", "base", "sub")
    )
    fields = (vendor, device, None, None, base, sub, int(interface[1], 16) if interface else None)
    return Function(_full(match["address"]), fields, shown(match["name"]))


def _detailed(function: Function, line: str) -> Function:
    subsystem, driver = _SUBSYSTEM.match(line), _DRIVER.match(line)
    if subsystem:
        fields = (*function.fields[:2], int(subsystem[1], 16), int(subsystem[2], 16), *function.fields[4:])
        return dataclasses.replace(function, fields=fields)
    return dataclasses.replace(function, driver=driver[1]) if driver else function


def _full(address: str) -> str:
    return (address if address.count(":") == 2 else f"0000:{address}").lower()
