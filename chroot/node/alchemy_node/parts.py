"""Names of parts as a technician finds them: slot, bay, locator, serial number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Part = Mapping[str, Any]  # an object of the inventory document


def dimm(part: Part) -> str:
    """Names a DIMM: `DIMM A7, serial 7E570001`."""
    return _named(f"DIMM {part.get('locator') or part.get('bank') or 'in an unnamed slot'}", part)


def cpu(part: Part) -> str:
    """Names a CPU by its socket: `socket CPU2`."""
    name = str(part.get("socket") or part.get("package", "without a name"))
    return name if "socket" in name.lower() else f"socket {name}"


def disk(part: Part) -> str:
    """Names a disk: `disk sdc, bay Slot07, serial TEST0107`; one behind a RAID controller by its place there."""
    name = part.get("name") or part.get("type") or "without a name"
    kind = "disk" if "name" in part else "drive"
    bay = f", bay {part['bay']}" if part.get("bay") else ""
    return _named(f"{kind} {name}{bay}", part)


def nic(part: Part, functions: Mapping[str, Part]) -> str:
    """Names a port: `port eth2, slot 1, PCI 0000:d8:00.0`; `functions` has the PCI functions by address."""
    address = part.get("address", "")
    slot = functions.get(address, {}).get("slot")
    return f"port {part['name']}{f', slot {slot}' if slot else ''}{f', PCI {address}' if address else ''}"


def function(part: Part) -> str:
    """Names a PCI device: `slot 6, PCI 0000:3d:00.0, SAS3008`."""
    slot = f"slot {part['slot']}, " if part.get("slot") else ""
    name = part.get("device_name") or part.get("model") or part.get("class_name")
    name = name or (f"{part['vendor']}:{part['device']}" if "device" in part else "")
    return f"{slot}PCI {part['address']}{f', {name}' if name else ''}"


def binary(size: int) -> str:
    """Writes the size of memory: `16 GiB`."""
    return _scaled(size, 1024, ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB"))


def decimal(size: int) -> str:
    """Writes the size of a disk: `1.92 TB`."""
    return _scaled(size, 1000, ("bytes", "kB", "MB", "GB", "TB", "PB"))


def _scaled(size: int, step: int, units: tuple[str, ...]) -> str:
    value, unit = float(size), 0
    while value >= step and unit < len(units) - 1:
        value, unit = value / step, unit + 1
    return f"{round(value, 2):g} {units[unit]}"


def _named(name: str, part: Part) -> str:
    return f"{name}, serial {part['serial']}" if part.get("serial") else name
