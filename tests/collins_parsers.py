"""What Collins refuses in lshw's and lldpd's XML, by file and line of tumblr/collins at 8647892.

Written from the parsers' behaviour, and sharing no code with the preflight that it checks.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from typing import Any


class RefusedError(Exception):
    """Collins answers 500 with this text."""


@dataclass(frozen=True)
class Settings:
    """The settings of Collins that decide what it takes, as it ships them."""

    require_vlan_name: bool = True
    default_nic_capacity: int | None = None
    allowed_statuses: frozenset[str] = frozenset({"Maintenance"})
    has_ipmi_pool: bool = False
    max_length: int = 1 << 20


@dataclass
class Hardware:
    """What Collins records of a machine."""

    cpus: list[tuple[int, int]] = field(default_factory=list)
    memory: list[tuple[int, int]] = field(default_factory=list)
    disks: list[int] = field(default_factory=list)
    nics: list[tuple[int, str]] = field(default_factory=list)
    serial: str = ""


def lshw(text: str, settings: Settings) -> Hardware:
    """LshwParser.scala."""
    root = _load(text)
    hardware = Hardware(serial=_base(root))
    core = next((node for node in root.iter("node") if node.get("id") == "core"), None)
    if core is None:
        raise RefusedError("Expected id=core node attribute")
    for node in core.iter("node"):
        _record(node, hardware, settings)
    return hardware


def _load(text: str) -> ET.Element:
    if not text:
        raise RefusedError("Can not parse empty files")
    try:
        return ET.fromstring(text.encode())  # noqa: S314 - text of the tests
    except ET.ParseError as error:
        raise RefusedError(str(error)) from error


def _base(root: ET.Element) -> str:
    nodes = root.findall("node")
    if root.get("class") != "system" and [node.get("class") for node in nodes] != ["system"]:
        raise RefusedError("Expected root class=system node attribute")
    return root.findtext("serial", "")


def _record(node: ET.Element, hardware: Hardware, settings: Settings) -> None:
    kind, name = node.get("class"), node.get("id", "")
    if kind == "processor" and node.get("handle") and node.findall("product") and node.get("disabled") != "true":
        _long(_text(node, "size") or "0")
        values: dict[str, Any] = {
            one.get("id", ""): one.get("value", "") for one in node.findall("configuration/setting")
        }
        values = values or {"cores": "1", "threads": "1"}
        for required in ("cores", "threads"):
            if required not in values:
                raise RefusedError(f"Could not find cpu configuration.setting.{required}")
        hardware.cpus.append((_long(values["cores"]), _long(values["threads"])))
    elif kind == "memory" and "bank:" in name:
        hardware.memory.append((len(hardware.memory), _long(_text(node, "size") or "0")))
    elif kind == "disk" or (kind == "volume" and "disk" in name):
        hardware.disks.append(_long(_text(node, "size") or "0"))
    elif kind == "network":
        speed = _text(node, "capacity") or _text(node, "size")
        if not speed and "10-gig" in _text(node, "product").lower():
            speed = "10000000000"
        if not speed and settings.default_nic_capacity is None:
            raise RefusedError(f"Could not find capacity for network interface for {_text(node, 'product')}")
        hardware.nics.append((_long(speed or str(settings.default_nic_capacity)), _text(node, "serial")))


def _text(node: ET.Element, tag: str) -> str:
    return "".join("".join(child.itertext()) for child in node if child.tag == tag)


def _long(text: str) -> int:
    if not text.lstrip("+-").isdecimal() or not -(2**63) <= int(text) < 2**63:
        raise RefusedError(f'For input string: "{text}"')
    return int(text)


def lldp(text: str, settings: Settings) -> list[dict[str, str]]:
    """LldpParser.scala; one mapping a neighbour."""
    found = [one for one in _load(text).iter("interface") if one.get("label") == "Interface"]
    if not found:
        raise RefusedError("Couldn't find interface nodes in XML")
    return [_neighbor(one, settings) for one in found]


def _neighbor(interface: ET.Element, settings: Settings) -> dict[str, str]:
    chassis = [*interface.iter("chassis")]
    ports = [*interface.iter("port")]
    found = {
        "name": interface.get("name", ""),
        "chassis id type": _type(chassis),
        "chassis id value": _all(chassis, "id"),
        "chassis name": _all(chassis, "name"),
        "chassis description": _all(chassis, "descr"),
        "port id type": _type(ports),
        "port id value": _all(ports, "id"),
        "port description": _all(ports, "descr"),
        "vlans": "",
    }
    for name in found:
        if not found[name] and name not in ("name", "vlans"):
            raise RefusedError(f"Found empty {name}")
    for vlan in interface.iter("vlan"):
        text = "".join(vlan.itertext())
        if settings.require_vlan_name and not text:
            raise RefusedError("Found empty vlan name")
        found["vlans"] += f"{_long(vlan.get('vlan-id') or '0')}={text} "
    return found


def _below(elements: list[ET.Element], tag: str) -> list[ET.Element]:
    return [one for element in elements for one in element.iter(tag)]


def _all(elements: list[ET.Element], tag: str) -> str:
    return "".join("".join(one.itertext()) for one in _below(elements, tag))


def _type(elements: list[ET.Element]) -> str:
    """An attribute of several elements counts as missing: `\\ "@type"` asks a single one only."""
    found = _below(elements, "id")
    return found[0].get("type", "") if len(found) == 1 else ""
