"""Reads what `udevadm info -e` (--export-db) prints: blocks of lines `KEY: VALUE`, an empty line after each."""

from __future__ import annotations

from collections.abc import Iterator

from alchemy.parts.hardware.functions import Function, of_modalias, shown

NAME = "udevadm info -e"


def recognises(text: str) -> bool:
    """Returns whether a text begins with the path of a device."""
    return text.lstrip().startswith("P: /")


def functions(text: str) -> Iterator[Function]:
    """Yields the PCI functions, and the USB interfaces of networks."""
    for block in text.split("\n\n"):
        values = dict(line[3:].split("=", 1) for line in block.splitlines() if line.startswith("E: ") and "=" in line)
        if values.get("SUBSYSTEM") not in ("pci", "usb"):
            continue
        name = f"{values.get('ID_VENDOR_FROM_DATABASE', '')} {values.get('ID_MODEL_FROM_DATABASE', '')}"
        address = values.get("PCI_SLOT_NAME") or values.get("DEVPATH", "").rpartition("/")[2]
        found = of_modalias(values.get("MODALIAS", ""), address=shown(address), name=name, driver=values.get("DRIVER"))
        if found:
            yield found
