"""The sections of an expectations file: which keys each has, and where the machine's values are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from alchemy_node import parts
from alchemy_node.expect import conditions
from alchemy_node.expect.conditions import Kind
from alchemy_node.judging.dimms import populated
from alchemy_node.parts import Part


@dataclass(frozen=True)
class Places:
    """The places of parts: the file's key that lists them, the inventory's key of one, and the word for it."""

    key: str
    attribute: str
    word: str


@dataclass(frozen=True)
class Section:
    """A kind of parts.

    A table of the file is about the parts that fit its `selecting` keys, and each of those has to fit the `checked`
    ones. Where `closed`, a part that no table is about is a difference. A machine has exactly one `single` part.
    """

    noun: str
    parts: Callable[[Part], list[Part]]
    name: Callable[[Part], str]
    checked: Mapping[str, Kind]
    selecting: Mapping[str, Kind] = field(default_factory=dict)
    places: Places | None = None
    counted: Mapping[str, Callable[[Part], bool]] = field(default_factory=dict)
    closed: bool = True
    single: bool = False


def functions(alchemy: Part) -> dict[str, Part]:
    """The PCI functions by address."""
    return {function["address"]: function for function in alchemy["pci"]}


def ports(alchemy: Part) -> list[Part]:
    """The ports of NICs, with the PCI id of the device, and the name that a technician knows."""
    pci = functions(alchemy)
    return [
        {**_device(pci.get(nic.get("address", ""))), **nic, "title": parts.nic(nic, pci)} for nic in alchemy["nics"]
    ]


def devices(alchemy: Part) -> list[Part]:
    """The PCI functions, with id and link as keys of their own."""
    return [
        {**function, **_device(function), **{key: link[key] for key in ("speed", "width") if key in link}}
        for function in alchemy["pci"]
        for link in [function.get("link", {})]
    ]


def disks(alchemy: Part) -> list[Part]:
    """The disks that stay: a stick or a virtual CD does not count."""
    return [disk for disk in alchemy["disks"] if not disk.get("removable")]


def hidden(alchemy: Part) -> list[Part]:
    """The drives behind RAID controllers."""
    return [drive for controller in alchemy["raid"] for drive in controller["drives"]]


def controllers(alchemy: Part) -> list[Part]:
    """The RAID controllers, with the number of their drives."""
    return [{**controller, "drives": len(controller["drives"])} for controller in alchemy["raid"]]


def _device(function: Part | None) -> dict[str, Any]:
    return {"device": f"{function['vendor']}:{function['device']}"} if function else {}


def _single(key: str, name: str, checked: Mapping[str, Kind]) -> Section:
    return Section(
        name, lambda alchemy: [alchemy[key]] if alchemy.get(key) else [], lambda _: name, checked, single=True
    )


_TEXT, _NUMBER, _FLAG = conditions.text, conditions.number, conditions.flag
_DRIVE: Mapping[str, Kind] = {
    "model": _TEXT,
    "vendor": _TEXT,
    "size": conditions.decimal_size,
    "transport": _TEXT,
    "rotational": _FLAG,
}
_LABEL: Mapping[str, Kind] = dict.fromkeys(("manufacturer", "product", "version", "sku", "family"), _TEXT)

WHEN: Mapping[str, Kind] = {**_LABEL, "serial": _TEXT, "board": _TEXT}

SINGLE: Mapping[str, Section] = {
    "system": _single("system", "system", _LABEL),
    "board": _single("board", "board", _LABEL),
    "chassis": _single("chassis", "chassis", _LABEL),
    "firmware": _single(
        "firmware",
        "BIOS",
        {**dict.fromkeys(("vendor", "version", "date", "release", "mode", "tpm"), _TEXT), "secure_boot": _FLAG},
    ),
    "memory": _single(
        "memory",
        "memory",
        {"kernel": conditions.binary_size, "installed": conditions.binary_size, "correction": _TEXT},
    ),
    "bmc": _single("bmc", "BMC", dict.fromkeys(("firmware", "ipmi", "manufacturer", "product"), _TEXT)),
}

MANY: Mapping[str, Section] = {
    "cpus": Section(
        "CPU",
        lambda alchemy: [cpu for cpu in alchemy["cpus"] if cpu["populated"]],
        parts.cpu,
        {
            **dict.fromkeys(("model", "manufacturer", "microcode"), _TEXT),
            **dict.fromkeys(("cores", "cores_enabled", "threads", "max_mhz"), _NUMBER),
        },
    ),
    "dimms": Section(
        "DIMM",
        populated,
        parts.dimm,
        {
            **dict.fromkeys(("type", "manufacturer", "part"), _TEXT),
            **dict.fromkeys(("rated_mts", "running_mts", "ranks"), _NUMBER),
            "size": conditions.binary_size,
            "ecc": _FLAG,
        },
        places=Places("slots", "locator", "DIMM slot"),
    ),
    "disks": Section("disk", disks, parts.disk, {"firmware": _TEXT}, _DRIVE, Places("bays", "bay", "bay")),
    "drives": Section("drive", hidden, parts.disk, {"firmware": _TEXT}, _DRIVE),
    "raid": Section(
        "RAID controller",
        controllers,
        parts.function,
        {"drives": _NUMBER},
        {"model": _TEXT, "vendor": _TEXT, "driver": _TEXT},
    ),
    "gpus": Section("GPU", lambda alchemy: alchemy["gpus"], parts.function, {}, {"model": _TEXT, "vendor": _TEXT}),
    "nics": Section(
        "port",
        ports,
        lambda part: str(part["title"]),
        {"firmware": _TEXT, "speed_mbps": _NUMBER, "lldp_in_firmware": _FLAG},
        {"device": _TEXT, "driver": _TEXT, "max_mbps": _NUMBER},
        counted={"linked": lambda nic: bool(nic["link"])},
        closed=False,
    ),
    "pci": Section(
        "device",
        devices,
        parts.function,
        {"driver": _TEXT, "speed": _NUMBER, "width": _NUMBER},
        {"device": _TEXT, "class": _TEXT},
        closed=False,
    ),
}
