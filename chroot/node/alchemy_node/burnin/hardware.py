"""Take from the inventory what a burn-in needs: the parts that can be blamed, and the disks that are tested.

The document is the inventory's (inventory/schema.json); a key that is absent is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from posixpath import basename
from typing import Any

from alchemy_node.burnin.ocp import Hardware, Software
from alchemy_node.burnin.parts import Part, Parts
from alchemy_node.burnin.step import Disk
from alchemy_node.inventory import dmi, memory_map
from alchemy_node.machine import Machine

Json = dict[str, Any]


@dataclass(frozen=True)
class Machinery:
    """The parts by the kernel's names, the same as the record lists them, its firmware, and its disks.

    `health` has the arguments with which smartctl asks each disk, those behind RAID controllers too.
    """

    parts: Parts
    hardware: tuple[Hardware, ...]
    software: tuple[Software, ...]
    disks: tuple[Disk, ...]
    health: dict[str, tuple[str, ...]]
    name: str
    corrects: bool


def take(document: Json) -> Machinery:
    """Returns the parts of a machine. `corrects` says that DMI claims memory with error correction."""
    alchemy: Json = document["alchemy"]
    found: dict[tuple[str, str], Hardware] = {}
    for source in (_dimms, _cpus, _disks, _drives, _nics, _functions, _whole):
        for key, hardware in source(alchemy):
            found.setdefault(key, hardware)
    unique: dict[str, Hardware] = {}
    for hardware in found.values():
        unique.setdefault(hardware.id, hardware)
    parts = {key: _part(unique[hardware.id]) for key, hardware in found.items()}
    correction = alchemy.get("memory", {}).get("correction")
    return Machinery(
        Parts(parts, numbered=dict(_numbered(alchemy, parts))),
        tuple(unique.values()),
        tuple(_software(alchemy)),
        tuple(_tested(alchemy)),
        {name: arguments for name, arguments, _ in _asked(alchemy)},
        _name(document),
        correction in ("single-bit", "multi-bit", "crc"),
    )


def completed(machinery: Machinery, machine: Machine) -> Machinery:
    """Returns the same with what errors are known by: the disks' ATA ports, ("ata port", "3"), the DIMMs' addresses."""
    ports: dict[tuple[str, str], Part] = {}
    for disk in machinery.disks:
        port = re.search(r"/ata([0-9]+)/", machine.link(f"/sys/block/{disk.name}") or "")
        if port is not None:
            ports["ata port", port[1]] = machinery.parts.find("disk", disk.name)
    addresses = memory_map.collect(machine, dmi.collect(machine).value.addresses)
    return replace(
        machinery, parts=replace(machinery.parts, known={**machinery.parts.known, **ports}, addresses=addresses)
    )


def _numbered(alchemy: Json, parts: Mapping[tuple[str, str], Part]) -> Iterator[tuple[int, Part]]:
    """Yields the DIMMs by their numbers. Those that have the same locator are not told apart by it."""
    for number, dimm in enumerate(alchemy.get("dimms", [])):
        if dimm.get("size"):
            locator = dimm.get("locator", "")
            part = parts.get(("dimm", locator))
            own = part is not None and part.id == f"dimm-{number}"
            name = " ".join(word for word in ("DIMM", locator, dimm.get("bank")) if word)
            yield number, part if part is not None and own else Part(name, dimm.get("serial"))


def _part(hardware: Hardware) -> Part:
    where = hardware.location
    name = f"{hardware.name} in {where}" if where and where not in hardware.name else hardware.name
    return Part(name, hardware.serial_number, hardware.id)


def _dimms(alchemy: Json) -> Iterator[tuple[tuple[str, str], Hardware]]:
    for index, dimm in enumerate(alchemy.get("dimms", [])):
        locator = dimm.get("locator")
        if dimm.get("size") == 0 or not locator:
            continue
        hardware = Hardware(
            f"dimm-{index}",
            f"DIMM {locator}",
            locator,
            "DIMM",
            dimm.get("manufacturer"),
            dimm.get("part"),
            dimm.get("serial"),
        )
        yield ("dimm", locator), hardware


def _cpus(alchemy: Json) -> Iterator[tuple[tuple[str, str], Hardware]]:
    for index, cpu in enumerate(alchemy.get("cpus", [])):
        if not cpu.get("populated"):
            continue
        package = str(cpu.get("package", index))
        name = f"CPU {cpu.get('socket') or package}".replace("CPU CPU", "CPU")
        yield (
            ("cpu", package),
            Hardware(
                f"cpu-{package}",
                name,
                cpu.get("socket"),
                "CPU",
                cpu.get("manufacturer"),
                cpu.get("model"),
                cpu.get("serial"),
            ),
        )


def _disks(alchemy: Json) -> Iterator[tuple[tuple[str, str], Hardware]]:
    for disk in alchemy.get("disks", []):
        name = disk["name"]
        hardware = Hardware(
            f"disk-{name}", f"disk {name}", disk.get("bay"), "disk", disk.get("vendor"), disk.get("model"),
            disk.get("serial"), disk.get("firmware"),
        )  # fmt: skip
        yield ("disk", name), hardware
        # what the kernel's log calls the controller of nvme0n1
        controller = re.fullmatch(r"(nvme[0-9]+)n[0-9]+", name)
        if controller is not None:
            yield ("disk", controller[1]), hardware


def _drives(alchemy: Json) -> Iterator[tuple[tuple[str, str], Hardware]]:
    """Yields the drives behind RAID controllers."""
    for name, _, drive in _asked(alchemy):
        if "type" in drive:
            hardware = Hardware(
                f"drive-{name}", f"drive {name}", None, "disk", drive.get("vendor"), drive.get("model"),
                drive.get("serial"), drive.get("firmware"),
            )  # fmt: skip
            yield ("disk", name), hardware


def _asked(alchemy: Json) -> Iterator[tuple[str, tuple[str, ...], Json]]:
    """Yields each disk that has a health of its own, with smartctl's arguments."""
    for disk in _tested(alchemy):
        yield disk.name, (disk.device,), {}
    for controller in alchemy.get("raid", []):
        for drive in controller.get("drives", []):
            device = drive.get("device")
            if device:
                yield f"{drive['type']} {basename(device)}", ("-d", drive["type"], device), drive


def _nics(alchemy: Json) -> Iterator[tuple[tuple[str, str], Hardware]]:
    for nic in alchemy.get("nics", []):
        name = nic["name"]
        yield (
            ("nic", name),
            Hardware(
                f"nic-{name}", f"NIC {name}", nic.get("address"), "NIC", None, None, nic.get("mac"), nic.get("firmware")
            ),
        )


def _functions(alchemy: Json) -> Iterator[tuple[tuple[str, str], Hardware]]:
    for function in alchemy.get("pci", []):
        address = function["address"]
        hardware = Hardware(
            f"pci-{address}", f"PCI device {address}", function.get("slot"), "PCI", function.get("vendor_name"),
            function.get("device_name"),
        )  # fmt: skip
        yield ("pci", address), hardware


def _whole(alchemy: Json) -> Iterator[tuple[tuple[str, str], Hardware]]:
    board: Json = alchemy.get("board", {})
    yield (
        ("board", ""),
        Hardware(
            "board", "mainboard", None, "board", board.get("manufacturer"), board.get("product"), board.get("serial")
        ),
    )
    bmc = alchemy.get("bmc")
    if bmc is not None:
        yield (
            ("bmc", ""),
            Hardware(
                "bmc", "BMC", None, "BMC", bmc.get("manufacturer"), bmc.get("product"), version=bmc.get("firmware")
            ),
        )


def _software(alchemy: Json) -> Iterator[Software]:
    firmware: Json = alchemy.get("firmware", {})
    if firmware.get("version"):
        yield Software("bios", "BIOS", firmware["version"], "FIRMWARE")
    if alchemy.get("kernel"):
        yield Software("kernel", "Linux", alchemy["kernel"], "SYSTEM")


def _tested(alchemy: Json) -> Iterator[Disk]:
    """Yields the disks that are part of the machine: no stick or virtual medium that someone has plugged in."""
    for disk in alchemy.get("disks", []):
        size = disk.get("size", 0)
        if size <= 0 or disk.get("removable") or disk.get("transport") in ("usb", "mmc", "iscsi", "fc"):
            continue
        name = disk["name"]
        equals = " ".join(str(disk[key]) for key in ("model", "size") if key in disk) if disk.get("model") else ""
        # SMART is the controller's, and namespaces have no health of their own
        yield Disk(name, f"/dev/{name}", size, bool(disk.get("rotational")), disk.get("serial"), equals)


def _name(document: Json) -> str:
    alchemy: Json = document["alchemy"]
    choices: tuple[Callable[[], Any], ...] = (
        lambda: alchemy["chassis"]["asset_tag"],
        lambda: alchemy["system"]["serial"],
        lambda: document["inventory"]["hostname"],
    )
    for choice in choices:
        try:
            value = choice()
        except (KeyError, TypeError):
            continue
        if isinstance(value, str) and re.search(r"\d", value):
            return basename(value)
    return "machine"
