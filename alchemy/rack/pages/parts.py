"""The parts of a node, by slot, as tables: from an inventory document, any part of which may be missing or made up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alchemy.rack.pages.html import size, speed
from alchemy.rack.records.facts import mapping, parts, text

Json = Mapping[str, Any]
# rows of a table on a page, which has at most 100 KB
_MOST_ROWS = 64


@dataclass(frozen=True)
class Section:
    """A table of parts of one kind; `left` more parts are in the document."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 0


def sections(document: Json, most: int = _MOST_ROWS) -> list[Section]:
    """Returns the tables that have rows."""
    alchemy = mapping(document.get("alchemy"))
    made = []
    for title, columns, rows in _TABLES:
        found = [row for row in rows(alchemy) if any(row)]
        if found:
            made.append(Section(title, columns, tuple(found[:most]), max(0, len(found) - most)))
    return made


def facts(document: Json) -> list[tuple[str, str]]:
    """Returns what the node is as a whole, name and value."""
    alchemy = mapping(document.get("alchemy"))
    firmware, bmc = mapping(alchemy.get("firmware")), mapping(alchemy.get("bmc"))
    memory = mapping(mapping(document.get("inventory")).get("memory"))
    secure = {True: ", Secure Boot on", False: ", Secure Boot off"}.get(firmware.get("secure_boot") is True)
    mode = _word(firmware, "mode").upper()
    installed = memory.get("physical_mb")
    return [
        ("Chassis", _word(mapping(alchemy.get("chassis")), "serial")),
        ("Board", _join(mapping(alchemy.get("board")), "product", "serial")),
        ("Memory", _binary(installed) if isinstance(installed, int) else ""),
        ("Firmware", _join(firmware, "vendor", "version", "date")),
        ("Boot mode", f"{mode}{secure}" if mode == "UEFI" else mode),
        ("TPM", _word(firmware, "tpm")),
        ("BMC", _join(bmc, "address", "mac", "firmware")),
        ("Kernel", _word(alchemy, "kernel")),
    ]


def _cpus(alchemy: Json) -> Iterator[tuple[str, ...]]:
    for cpu in parts(alchemy.get("cpus")):
        if cpu.get("populated") is False:
            yield _word(cpu, "socket"), "empty", "", "", "", ""
            continue
        cores = "/".join(filter(None, (_word(cpu, "cores"), _word(cpu, "threads"))))
        yield (
            _word(cpu, "socket"), _word(cpu, "model"), cores, _word(cpu, "max_mhz"), _word(cpu, "microcode"),
            _word(cpu, "serial"),
        )  # fmt: skip


def _dimms(alchemy: Json) -> Iterator[tuple[str, ...]]:
    for dimm in parts(alchemy.get("dimms")):
        slot = " ".join(filter(None, (_word(dimm, "bank"), _word(dimm, "locator"))))
        if dimm.get("size") == 0:
            yield slot, "empty", "", "", "", ""
            continue
        speeds = "/".join(filter(None, (_word(dimm, "running_mts"), _word(dimm, "rated_mts"))))
        yield (
            slot, _binary(dimm.get("size"), 1 << 20), _word(dimm, "type"), speeds, _join(dimm, "manufacturer", "part"),
            _word(dimm, "serial"),
        )  # fmt: skip


def _disks(alchemy: Json) -> Iterator[tuple[str, ...]]:
    for disk in parts(alchemy.get("disks")):
        yield _word(disk, "bay"), _word(disk, "name"), *_drive(disk)
    for controller in parts(alchemy.get("raid")):
        for drive in parts(controller.get("drives")):
            yield _word(controller, "slot") or _word(controller, "address"), _word(drive, "type"), *_drive(drive)


def _drive(drive: Json) -> tuple[str, ...]:
    health = mapping(drive.get("health"))
    passed = {True: "passed", False: "FAILED"}.get(health.get("passed") is True) if "passed" in health else ""
    used, hours = _word(health, "used_percent"), _word(health, "power_on_hours")
    words = [passed, f"{used} % worn" if used else "", f"{hours} h" if hours else ""]
    return (
        _join(drive, "vendor", "model"), size(drive.get("size")), _word(drive, "transport"), _word(drive, "serial"),
        _word(drive, "firmware"), ", ".join(filter(None, words)),
    )  # fmt: skip


def _nics(alchemy: Json) -> Iterator[tuple[str, ...]]:
    for nic in parts(alchemy.get("nics")):
        link = speed(nic.get("speed_mbps")) or ("up" if nic.get("link") is True else "no link")
        yield (
            _word(nic, "name"), _word(nic, "mac"), link, speed(nic.get("max_mbps")),
            _join(nic, "driver", "firmware"), _word(nic, "address"),
        )  # fmt: skip


def _neighbours(alchemy: Json) -> Iterator[tuple[str, ...]]:
    for nic in parts(alchemy.get("nics")):
        for neighbour in parts(nic.get("neighbours")):
            vlans = [_join(vlan, "id", "name") for vlan in parts(neighbour.get("vlans"))[:16]]
            port = _word(neighbour, "port_id"), _word(neighbour, "port_description")
            yield (
                _word(nic, "name"), _word(neighbour, "system_name") or _word(neighbour, "chassis_id"),
                " ".join(dict.fromkeys(filter(None, port))), ", ".join(vlans), _word(neighbour, "protocol"),
            )  # fmt: skip


def _cards(alchemy: Json) -> Iterator[tuple[str, ...]]:
    for function in parts(alchemy.get("pci")):
        slot = _word(function, "slot")
        if not slot:
            continue
        link = mapping(function.get("link"))
        width, speed_now = _word(link, "width"), _word(link, "speed")
        yield (
            slot, _word(function, "address"), _join(function, "vendor_name", "device_name"), _word(function, "driver"),
            f"x{width} {speed_now} GT/s" if width else "",
        )  # fmt: skip


def _errors(alchemy: Json) -> Iterator[tuple[str, ...]]:
    for message in parts(alchemy.get("kernel_errors")):
        yield _word(message, "level"), _word(message, "count"), _word(message, "text")


def _unknown(alchemy: Json) -> Iterator[tuple[str, ...]]:
    for entry in parts(alchemy.get("unknown")):
        yield _word(entry, "subject"), _word(entry, "source"), _word(entry, "reason")


_TABLES: tuple[tuple[str, tuple[str, ...], Callable[[Json], Iterator[tuple[str, ...]]]], ...] = (
    ("Processors", ("Socket", "Model", "Cores/threads", "MHz", "Microcode", "Serial"), _cpus),
    ("Memory", ("Slot", "Size", "Type", "MT/s", "Part", "Serial"), _dimms),
    ("Disks", ("Bay", "Name", "Model", "Size", "Bus", "Serial", "Firmware", "Health"), _disks),
    ("Network", ("Port", "MAC", "Link", "Fastest", "Driver", "Address"), _nics),
    ("Neighbours", ("Port", "Switch", "Switch port", "VLANs", "By"), _neighbours),
    ("Cards", ("Slot", "Address", "Device", "Driver", "Link"), _cards),
    ("Kernel errors", ("Level", "Times", "Message"), _errors),
    ("Not read", ("What", "Where", "Why"), _unknown),
)


def _word(values: Json, key: str) -> str:
    value = values.get(key)
    if isinstance(value, bool) or value is None:
        return ""
    return str(value)[:40] if isinstance(value, int | float) else text(value) or ""


def _join(values: Json, *keys: str) -> str:
    return " ".join(filter(None, (_word(values, key) for key in keys)))


def _binary(value: object, unit: int = 1) -> str:
    """Returns a number of MiB, or of `unit` bytes, as makers of memory write it."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1 << 60:
        return ""
    mebibytes = value // unit
    return f"{mebibytes / 1024:.4g} GiB" if mebibytes >= 1024 else f"{mebibytes} MiB"
