"""Finds and names the nodes of lshw's XML, as Collins does."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator

from alchemy_node.intake.bounded_xml import ancestries, child_text

# A node behind its ancestors; the first is the core node.
Path = tuple[ET.Element, ...]


def core(root: ET.Element) -> ET.Element | None:
    """Returns the first node with id=core: the only part of the document from which Collins records hardware."""
    return next((node for node in root.iter("node") if node.get("id") == "core"), None)


def below(core: ET.Element) -> Iterator[Path]:
    """Yields the core node and all nodes below it, each behind its ancestors."""
    return ancestries(core, "node")


def is_cpu(node: ET.Element) -> bool:
    """Returns whether Collins counts the node as a CPU; it skips empty sockets and disabled CPUs."""
    return (
        node.get("class") == "processor"
        and bool(node.get("handle"))
        and node.find("product") is not None
        and node.get("disabled") != "true"
    )


def settings(node: ET.Element) -> dict[str, str]:
    """Returns the node's configuration; the last setting of a name counts."""
    return {
        setting.get("id", ""): setting.get("value", "")
        for configuration in node.findall("configuration")
        for setting in configuration.findall("setting")
    }


def mac(node: ET.Element) -> str:
    """Returns the MAC of a NIC in lower case; empty where lshw has none."""
    return child_text(node, "serial").strip().lower()


def name(path: Path) -> str:
    """Returns what a person finds the node by: `core/pci/network:1 (eth1, I350, 02:00:00:00:00:01)`."""
    node = path[-1]
    where = "/".join(one.get("id", "?") for one in path if one.tag == "node")
    known = [text for tag in ("logicalname", "product", "serial") if (text := node.findtext(tag, "").strip())]
    return f"{where} ({', '.join(known)})" if known else where
