"""Reads what `lshw -xml` and `lshw -json` print. Only with -numeric do they have the ids of functions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

from alchemy.parts.hardware.functions import Function, shown

NAME = "lshw"

_HANDLE = re.compile(r"PCI:((?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])", re.IGNORECASE)
_IDS = re.compile(r"\s*\[([0-9a-f]{1,4}):([0-9a-f]{1,4})\]", re.IGNORECASE)

# the roles and classes of lshw's own classes, which have the same names in every language
_KINDS = {"network": "NIC", "storage": "storage"}
# lshw's names of PCI classes (its pci.cc), and the capabilities that name a programming interface
_CLASSES = {
    "SCSI storage controller": (0x01, 0x00), "IDE interface": (0x01, 0x01), "RAID bus controller": (0x01, 0x04),
    "SATA controller": (0x01, 0x06), "Serial Attached SCSI controller": (0x01, 0x07), "Fibre Channel": (0x0C, 0x04),
    "Non-Volatile memory controller": (0x01, 0x08), "NVMe device": (0x01, 0x08), "NVMe storage": (0x01, 0x08),
    "Ethernet controller": (0x02, 0x00), "Ethernet interface": (0x02, 0x00), "Infiniband controller": (0x02, 0x07),
    "Fabric controller": (0x02, 0x08), "USB controller": (0x0C, 0x03), "SMBus": (0x0C, 0x05),
}  # fmt: skip
_CAPABILITIES = {"ahci_1.0": (0x01, 0x06, 0x01), "ahci": (0x01, 0x06, 0x01), "nvme": (0x01, 0x08, 0x02),
                 "nvm_express": (0x01, 0x08, 0x02), "xhci": (0x0C, 0x03, 0x30), "ehci": (0x0C, 0x03, 0x20)}  # fmt: skip


def of_xml(root: Element) -> Iterator[Function]:
    """Yields the functions of an XML document."""
    for node in root.iter("node"):
        settings = {setting.get("id"): setting.get("value", "") for setting in node.iterfind("configuration/setting")}
        capabilities = [capability.get("id", "") for capability in node.iterfind("capabilities/capability")]
        texts = {child.tag: child.text or "" for child in node}
        found = _function(
            node.get("handle", ""), node.get("class", ""), texts, settings.get("driver", ""), capabilities
        )
        if found:
            yield found


def of_json(document: Any) -> Iterator[Function]:
    """Yields the functions of a JSON document: a node, or a list of nodes."""
    waiting = [document]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(reversed(node))
        elif isinstance(node, dict):
            waiting.append(node.get("children"))
            settings, capabilities = node.get("configuration"), node.get("capabilities")
            texts = {key: value for key, value in node.items() if isinstance(value, str)}
            found = _function(
                texts.get("handle", ""),
                texts.get("class", ""),
                texts,
                str(settings.get("driver", "")) if isinstance(settings, dict) else "",
                list(capabilities) if isinstance(capabilities, dict) else [],
            )
            if found:
                yield found


def _function(
    handle: str, own_class: str, texts: dict[str, str], driver: str, capabilities: list[str]
) -> Function | None:
    address = _HANDLE.fullmatch(handle)
    # a function's own node, and not one of the disks or ports behind it
    if address is None or own_class in ("disk", "volume"):
        return None
    product = texts.get("product", "")
    ids = _IDS.search(product)
    of_class = _class(texts.get("description", ""), capabilities)
    kind = _KINDS.get(own_class, "") if of_class[0] is None else ""
    name = f"{texts.get('vendor', '')} {product or texts.get('description', '')}"
    return Function(
        address[1].lower() if address[1].count(":") == 2 else f"0000:{address[1].lower()}",
        (*(int(ids[at], 16) if ids else None for at in (1, 2)), None, None, *of_class),
        shown(re.sub(r"\s*\[[0-9A-Fa-f:]{1,9}\]", "", name)),
        driver or None,
        "other" if kind and "virtual function" in name.lower() else kind,
    )


def _class(description: str, capabilities: list[str]) -> tuple[int | None, int | None, int | None]:
    for capability in capabilities:
        if capability in _CAPABILITIES:
            return _CAPABILITIES[capability]
    base, sub = _CLASSES.get(description, (None, None))
    return base, sub, None
