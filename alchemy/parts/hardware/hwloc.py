"""Reads the XML of hwloc (`lstopo FILE.xml`), which lists the PCI functions that matter for locality."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from alchemy.parts.hardware.functions import Function, shown

NAME = "hwloc"

# pci_type of hwloc's XML: `CLASS [VENDOR:DEVICE] [SUBVENDOR:SUBDEVICE] REVISION`
_TYPE = re.compile(
    r"([0-9a-f]{2})([0-9a-f]{2}) \[([0-9a-f]{4}):([0-9a-f]{4})\] "
    r"\[([0-9a-f]{4}):([0-9a-f]{4})\].{0,16}",
    re.IGNORECASE,
)


def functions(root: Element) -> Iterator[Function]:
    """Yields the PCI functions of a topology."""
    for node in root.iter("object"):
        match = _TYPE.fullmatch(node.get("pci_type", ""))
        if match is None:
            continue
        infos = {info.get("name"): info.get("value", "") for info in node.iterfind("info")}
        name = node.get("name") or f"{infos.get('PCIVendor', '')} {infos.get('PCIDevice', '')}"
        base, sub, *ids = (int(value, 16) for value in match.groups())
        yield Function(shown(node.get("pci_busid", "")), (*ids, base, sub, None), shown(name))
