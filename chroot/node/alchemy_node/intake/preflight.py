"""Says what Collins would refuse, before anything is sent.

Reads a document as Collins' parsers do (app/collins/util/parsers of tumblr/collins at 8647892): which elements they
look at, how they join texts, what they require. Collins stops at the first refusal; here are all of them.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from alchemy_node.intake import lshw_nodes
from alchemy_node.intake.bounded_xml import child_text
from alchemy_node.intake.refusal import Refusal

# Settings of Collins that a preflight cannot ask for: the user names those that are not as Collins ships them.
NIC_WITHOUT_CAPACITY = "nic-without-capacity"
VLAN_WITHOUT_NAME = "vlan-without-name"
ALLOWANCES = {
    NIC_WITHOUT_CAPACITY: "lshw.defaultNicCapacity is set",
    VLAN_WITHOUT_NAME: "lldp.requireVlanName is false",
}

# Parsers of Java: Long.parseLong and Integer.parseInt take a sign and ASCII digits.
_NUMBER = re.compile(r"[+-]?[0-9]+", re.ASCII)

_LSHW = "lshw.xml"
_LLDP = "lldp.xml"


def lshw(root: ET.Element, allowances: frozenset[str] = frozenset()) -> list[Refusal]:
    """Returns why LshwParser.scala would refuse the document of `lshw -xml`."""
    refusals = list(_base(root))
    core = lshw_nodes.core(root)
    if core is None:
        problem = "there is no node with id=core"
        refusals.append(Refusal(_LSHW, "", problem, "LshwParser.scala:188", "alchemy-inventory --collins DIR"))
        return refusals
    for path in lshw_nodes.below(core):
        refusals += _node(path, allowances)
    return refusals


def _base(root: ET.Element) -> Iterator[Refusal]:
    if root.get("class") == "system":
        return
    nodes = root.findall("node")
    if len(nodes) == 1 and nodes[0].get("class") == "system":
        return
    problem = (
        f"expected one root node of class=system, got {len(nodes)}"
        if nodes
        else "there is no root node of class=system"
    )
    yield Refusal(_LSHW, root.tag, problem, "LshwParser.scala:198", "alchemy-inventory --collins DIR")


def _node(path: lshw_nodes.Path, allowances: frozenset[str]) -> Iterator[Refusal]:
    node = path[-1]
    kind = node.get("class", "")
    if lshw_nodes.is_cpu(node):
        yield from _size(path, "size", "LshwParser.scala:68")
        yield from _cpu(path)
    elif kind == "memory" and "bank:" in node.get("id", ""):
        yield from _size(path, "size", "LshwParser.scala:98")
    elif kind == "disk" or (kind == "volume" and "disk" in node.get("id", "")):
        yield from _size(path, "size", "LshwParser.scala:119")
    elif kind == "network":
        yield from _nic(path, allowances)


def _size(path: lshw_nodes.Path, tag: str, source: str) -> Iterator[Refusal]:
    text = child_text(path[-1], tag)
    if text and not _is_integer(text, 64):
        problem = f"<{tag}> is not an integer (got {text!r})"
        yield Refusal(_LSHW, lshw_nodes.name(path), problem, source, "report it to lshw; the file is kept")


def _cpu(path: lshw_nodes.Path) -> Iterator[Refusal]:
    settings = lshw_nodes.settings(path[-1])
    if not settings:
        return
    for name in ("cores", "threads"):
        if name not in settings:
            problem = f"the CPU has settings, but no `{name}`"
            cure = "update the BIOS: its DMI table has no core counts"
        elif not _is_integer(settings[name], 32):
            problem = f"`{name}` is not an integer (got {settings[name]!r})"
            cure = "update the BIOS: its DMI table has no valid core counts"
        else:
            continue
        yield Refusal(_LSHW, lshw_nodes.name(path), problem, "LshwParser.scala:71", cure)


def _nic(path: lshw_nodes.Path, allowances: frozenset[str]) -> Iterator[Refusal]:
    node = path[-1]
    if child_text(node, "capacity"):
        yield from _size(path, "capacity", "LshwParser.scala:137")
    elif child_text(node, "size"):
        yield from _size(path, "size", "LshwParser.scala:139")
    elif "10-gig" not in child_text(node, "product").lower() and NIC_WITHOUT_CAPACITY not in allowances:
        problem = "the NIC has neither <capacity> nor <size>, and the kernel knows no speed of it"
        first = "connect the port" if lshw_nodes.mac(node) else "load a driver, as the NIC has no interface"
        setting = f"lshw.defaultNicCapacity in Collins and pass --collins-allows {NIC_WITHOUT_CAPACITY}"
        cure = f"{first}; or set {setting}"
        yield Refusal(_LSHW, lshw_nodes.name(path), problem, "LshwParser.scala:155", cure)


def lldp(root: ET.Element, allowances: frozenset[str] = frozenset()) -> list[Refusal]:
    """Returns why LldpParser.scala would refuse the document of `lldpcli -f xml show neighbors details`."""
    neighbors = interfaces(root)
    if not neighbors:
        problem = "there is no LLDP neighbour on any port"
        cure = "enable LLDP on the switch (Cisco, Arista: `lldp run`; Junos: `set protocols lldp interface all`)"
        return [Refusal(_LLDP, "", problem, "LldpParser.scala:88", cure)]
    return [refusal for neighbor in neighbors for refusal in interface(neighbor, allowances)]


def interfaces(root: ET.Element) -> list[ET.Element]:
    """Returns the elements that Collins takes for neighbours."""
    return [element for element in root.iter("interface") if element.get("label") == "Interface"]


def interface(element: ET.Element, allowances: frozenset[str] = frozenset()) -> list[Refusal]:
    """Returns why LldpParser.scala would refuse this neighbour."""
    port = element.get("name", "")
    vlans = [refusal for one in element.iter("vlan") for refusal in vlan(one, port, allowances)]
    return [*_required(element, port), *vlans]


# What Collins requires: the parent, the element, the TLV's name, the line, and how a switch comes to send it. Chassis
# ID and Port ID are mandatory in LLDP (IEEE 802.1AB, 8.5): without them the frame was not received whole.
_TRUNCATED = "lldpcli show neighbors details"
_REQUIRED = (
    ("chassis", "id", "Chassis ID", 46, _TRUNCATED),
    ("chassis", "name", "System Name", 46, "lldp tlv-select system-name"),
    ("chassis", "descr", "System Description", 46, "lldp tlv-select system-description"),
    ("port", "id", "Port ID", 59, _TRUNCATED),
    ("port", "descr", "Port Description", 59, "lldp tlv-select port-description"),
)


def _required(element: ET.Element, port: str) -> Iterator[Refusal]:
    for parent, tag, tlv, line, command in _REQUIRED:
        found = [below for above in element.iter(parent) for below in above.iter(tag)]
        problem = ""
        if not any("".join(one.itertext()) for one in found):
            problem = f"the neighbour sends no {tlv}"
        elif tag == "id" and len(found) > 1:
            problem = f"the neighbour has {len(found)} elements for its {tlv}"
        elif tag == "id" and not found[0].get("type"):
            problem = f"the {tlv} has no type"
        if problem:
            cure = f"on the switch (Cisco, Arista): `{command}`" if command != _TRUNCATED else command
            yield Refusal(_LLDP, f"{port}: <{parent}><{tag}>", problem, f"LldpParser.scala:{line}", cure)


def vlan(element: ET.Element, port: str, allowances: frozenset[str] = frozenset()) -> list[Refusal]:
    """Returns why LldpParser.scala would refuse this VLAN of a neighbour."""
    identity = element.get("vlan-id") or "0"
    where = f"{port}: <vlan vlan-id={identity}>"
    refusals = []
    if VLAN_WITHOUT_NAME not in allowances and not "".join(element.itertext()):
        cure = f"set lldp.requireVlanName=false in Collins and pass --collins-allows {VLAN_WITHOUT_NAME}"
        refusals.append(Refusal(_LLDP, where, "the VLAN has no name", "LldpParser.scala:69", cure))
    if not _is_integer(identity, 32):
        cure = "lldpcli show neighbors details"
        refusals.append(Refusal(_LLDP, where, "the VLAN's number is not an integer", "LldpParser.scala:82", cure))
    return refusals


def _is_integer(text: str, bits: int) -> bool:
    # 20 characters hold each of 64 bits; a longer one need not be converted to be refused
    return bool(_NUMBER.fullmatch(text)) and len(text) <= 20 and -(1 << bits - 1) <= int(text) < 1 << bits - 1
