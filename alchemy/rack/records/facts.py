"""Reads facts from an inventory document, which a node wrote: any part of it may be missing or of another type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

_LONGEST = 200  # characters of a text on a page
_MOST = 2000  # parts of one kind


class Facts(TypedDict, total=False):
    """What the list of nodes shows of an inventory. `port` is the switch and its port, by LLDP."""

    vendor: str
    model: str
    port: str


def find(document: Mapping[str, Any]) -> Facts:
    """Returns the facts that a document has."""
    alchemy = mapping(document.get("alchemy"))
    system = mapping(alchemy.get("system"))
    ironic = mapping(mapping(document.get("inventory")).get("system_vendor"))
    found = Facts()
    if vendor := text(system.get("manufacturer")) or text(ironic.get("manufacturer")):
        found["vendor"] = vendor
    if model := text(system.get("product")) or text(ironic.get("product_name")):
        found["model"] = model
    if port := next(filter(None, map(neighbour, parts(alchemy.get("nics")))), None):
        found["port"] = port
    return found


def text(value: object) -> str | None:
    """Returns a text without control characters, of bounded length; None where there is none."""
    if not isinstance(value, str):
        return None
    return "".join(character if character.isprintable() else "�" for character in value[:_LONGEST]).strip() or None


def mapping(value: object) -> Mapping[str, Any]:
    """Returns an object of JSON; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def parts(value: object) -> list[Mapping[str, Any]]:
    """Returns the objects of a list."""
    return [each for each in value[:_MOST] if isinstance(each, dict)] if isinstance(value, list) else []


def neighbour(nic: Mapping[str, Any]) -> str | None:
    """Returns the switch and the port that a NIC is connected to, by LLDP: `tor-7 Ethernet1/12`."""
    for each in parts(nic.get("neighbours")):
        switch, port = text(each.get("system_name")) or text(each.get("chassis_id")), text(each.get("port_id"))
        if switch and port:
            return f"{switch} {port}"
    return None
