"""The kinds of parts of an inventory document: where they are listed, what identifies one, and which values matter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alchemy.rack.records.facts import mapping, neighbour, parts, text

Part = Mapping[str, Any]
Show = Callable[[object], str]


@dataclass(frozen=True)
class Label:
    """How a person reads a value: its name, and a function that writes it."""

    name: str
    show: Show


@dataclass(frozen=True)
class Kind:
    """A kind of parts.

    `key` is the document's; `identity` is what stays with a part (its serial, its MAC), `place` is where it sits, and
    `describe` tells it from others. `values` are compared; `errors` are counters, told when they have grown.
    """

    noun: str
    key: str
    listed: Callable[[Part], list[Part]]
    identity: Callable[[Part], str | None]
    place: Callable[[Part], str | None]
    describe: Callable[[Part], str]
    values: Mapping[str, Label]
    errors: Mapping[str, str] = field(default_factory=dict)


def plain(value: object) -> str:
    """Writes a text, a number, or yes and no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)[:20]
    return text(value) or "unknown"


def _scaled(step: int, units: Sequence[str]) -> Show:
    def show(value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 80:
            return "unknown size"
        scaled, unit = float(value), 0
        while scaled >= step and unit < len(units) - 1:
            scaled, unit = scaled / step, unit + 1
        return f"{round(scaled, 2):g} {units[unit]}"

    return show


_binary = _scaled(1024, ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB"))
_decimal = _scaled(1000, ("bytes", "kB", "MB", "GB", "TB", "PB"))


def _first(*keys: str) -> Callable[[Part], str | None]:
    """Returns a function that reads the first of the keys that a part has."""
    return lambda part: next((plain(part[key]) for key in keys if part.get(key) not in (None, "")), None)


def _sized(key: str, size: Show) -> Callable[[Part], str]:
    """Returns a function that describes a part by its size, a key, and its serial: `16 GiB M393, serial S1`."""

    def describe(part: Part) -> str:
        serial = text(part.get("serial"))
        words = " ".join(filter(None, (size(part["size"]) if "size" in part else "", text(part.get(key)))))
        return ", ".join(filter(None, (words, f"serial {serial}" if serial else "")))

    return describe


def _dimms(alchemy: Part) -> list[Part]:
    return [dimm for dimm in parts(alchemy.get("dimms")) if dimm.get("size")]


def _cpus(alchemy: Part) -> list[Part]:
    return [cpu for cpu in parts(alchemy.get("cpus")) if cpu.get("populated") is not False]


def _disks(alchemy: Part) -> list[Part]:
    """Returns the disks that stay: a stick or a virtual CD does not."""
    return [_with_health(disk) for disk in parts(alchemy.get("disks")) if not disk.get("removable")]


def _drives(alchemy: Part) -> list[Part]:
    controllers = parts(alchemy.get("raid"))
    return [_with_health(drive) for controller in controllers for drive in parts(controller.get("drives"))]


def _with_health(drive: Part) -> Part:
    return {**drive, **mapping(drive.get("health"))}


def _ports(alchemy: Part) -> list[Part]:
    return [{**nic, "neighbour": neighbour(nic)} for nic in parts(alchemy.get("nics"))]


_DRIVE = {
    "model": Label("model", plain),
    "size": Label("size", _decimal),
    "firmware": Label("firmware", plain),
    "passed": Label("health passed", plain),
}
_ERRORS = {"media_errors": "media errors", "reallocated": "reallocated sectors", "pending": "pending sectors"}
_SERIAL = Label("serial", plain)
_MODEL = Label("model", plain)

# the parts that a machine has once: the key of the document, the noun, and the values
SINGLE: tuple[tuple[str, str, Mapping[str, Label]], ...] = (
    (
        "system",
        "system",
        {"manufacturer": Label("maker", plain), "product": _MODEL, "serial": _SERIAL, "uuid": Label("UUID", plain)},
    ),
    ("board", "board", {"product": _MODEL, "version": Label("version", plain), "serial": _SERIAL}),
    ("chassis", "chassis", {"serial": _SERIAL}),
    (
        "firmware",
        "firmware",
        {
            "version": Label("version", plain),
            "date": Label("date", plain),
            "mode": Label("boot mode", plain),
            "secure_boot": Label("Secure Boot", plain),
            "tpm": Label("TPM", plain),
        },
    ),
    (
        "bmc",
        "BMC",
        {"firmware": Label("firmware", plain), "mac": Label("MAC", plain), "address": Label("address", plain)},
    ),
)
KINDS = (
    Kind(
        "DIMM",
        "dimms",
        _dimms,
        _first("serial"),
        _first("locator", "bank"),
        _sized("part", _binary),
        {
            "size": Label("size", _binary),
            "part": Label("part number", plain),
            "running_mts": Label("MT/s", plain),
        },
    ),
    Kind(
        "CPU",
        "cpus",
        _cpus,
        _first("serial"),
        _first("socket", "package"),
        _sized("model", plain),
        {"model": _MODEL, "cores_enabled": Label("cores", plain), "microcode": Label("microcode", plain)},
    ),
    Kind("disk", "disks", _disks, _first("serial"), _first("bay", "name"), _sized("model", _decimal), _DRIVE, _ERRORS),
    Kind("drive", "raid", _drives, _first("serial"), _first("type"), _sized("model", _decimal), _DRIVE, _ERRORS),
    Kind(
        "port",
        "nics",
        _ports,
        _first("mac"),
        _first("name"),
        lambda nic: ", ".join(filter(None, (text(nic.get("driver")), f"MAC {plain(nic.get('mac'))}"))),
        {
            "link": Label("link", plain),
            "speed_mbps": Label("Mb/s", plain),
            "firmware": Label("firmware", plain),
            "neighbour": Label("neighbour", plain),
        },
    ),
)
