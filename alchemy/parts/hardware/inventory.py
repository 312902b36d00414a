"""Reads a document of alchemy-inventory --json: its list of PCI functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from alchemy.parts.hardware.functions import Function, shown
from alchemy.parts.hardware.malformed import MalformedError

NAME = "inventory"


def recognises(document: Any) -> bool:
    """Returns whether a JSON document is an inventory."""
    return isinstance(document, dict) and isinstance(document.get("alchemy"), dict)


def functions(document: Any) -> Iterator[Function]:
    """Yields the functions. Raises MalformedError for a list that does not hold what the schema says."""
    found = document["alchemy"].get("pci", [])
    try:
        for entry in found:
            number = int(entry["class"], 16)
            ids = (int(entry["vendor"], 16), int(entry["device"], 16))
            subsystem = (_optional(entry, "subsystem_vendor"), _optional(entry, "subsystem_device"))
            yield Function(
                shown(str(entry["address"])),
                (*ids, *subsystem, number >> 16 & 0xFF, number >> 8 & 0xFF, number & 0xFF),
                shown(f"{entry.get('vendor_name', '')} {entry.get('device_name', '')}"),
                str(entry["driver"]) if "driver" in entry else None,
            )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedError("alchemy.pci: not a list of functions as alchemy-inventory writes it") from error


def _optional(entry: Any, key: str) -> int | None:
    return int(entry[key], 16) if key in entry else None
