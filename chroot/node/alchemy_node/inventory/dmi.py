"""What DMI says: from the tables themselves, else from dmidecode, else from what the kernel kept of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from alchemy_node.inventory import dmidecode, memory_map, smbios
from alchemy_node.inventory.facts import Found, Json, Unknown, present, reason, uuid
from alchemy_node.inventory.memory_map import Claims
from alchemy_node.machine import Machine
from alchemy_node.processes import MIB

_TABLE = "/sys/firmware/dmi/tables/DMI"
_KERNEL = "/sys/class/dmi/id"
_SECONDS = 5.0

S = TypeVar("S", contravariant=True)


@dataclass(frozen=True)
class Tables:
    """DMI's facts, each as schema.json has it, and its ranges of addresses."""

    firmware: Json = field(default_factory=dict)
    system: Json = field(default_factory=dict)
    board: Json = field(default_factory=dict)
    chassis: Json = field(default_factory=dict)
    cpus: tuple[Json, ...] = ()
    dimms: tuple[Json, ...] = ()
    slots: tuple[Json, ...] = ()
    correction: str | None = None
    addresses: Claims = field(default_factory=Claims)


class Decoder(memory_map.Decoder[S], Protocol[S]):
    """Reads structures: the modules smbios and dmidecode."""

    def bios(self, structure: S, /) -> Json: ...
    def system(self, structure: S, /) -> Json: ...
    def board(self, structure: S, /) -> Json: ...
    def chassis(self, structure: S, /) -> Json: ...
    def processor(self, structure: S, /) -> Json | None: ...
    def slot(self, structure: S, /) -> Json: ...
    def correction(self, structure: S, /) -> str | None: ...
    def dimm(self, structure: S, /) -> Json: ...


def collect(machine: Machine) -> Found[Tables]:
    """DMI of the machine."""
    corrupt: tuple[Unknown, ...] = ()
    table = machine.read_bytes(_TABLE, MIB)
    if table is not None:
        try:
            return Found(_decode(((found.type, found) for found in smbios.structures(table)), smbios))
        except ValueError as error:
            corrupt = (Unknown("dmi", _TABLE, str(error)),)
    output = machine.run(["dmidecode"], _SECONDS)
    sections = [(section.type, section) for section in dmidecode.sections(output.stdout)]
    if sections:
        return Found(_decode(sections, dmidecode), corrupt)
    unreadable = Unknown("dmi", _TABLE, "absent or unreadable")
    missing = Unknown("dmi", "dmidecode", reason(output))
    return Found(_of_kernel(machine), (*(corrupt or (unreadable,)), missing))


def _decode(structures: Iterable[tuple[int, S]], decoder: Decoder[S]) -> Tables:
    of: dict[int, list[S]] = {}
    for kind, structure in structures:
        of.setdefault(kind, []).append(structure)
    cpus = map(decoder.processor, of.get(4, []))
    corrections = map(decoder.correction, of.get(16, []))
    return Tables(
        firmware=next(map(decoder.bios, of.get(0, [])), {}),
        system=next(map(decoder.system, of.get(1, [])), {}),
        board=next(map(decoder.board, of.get(2, [])), {}),
        chassis=next(map(decoder.chassis, of.get(3, [])), {}),
        cpus=tuple(cpu for cpu in cpus if cpu is not None),
        dimms=tuple(map(decoder.dimm, of.get(17, []))),
        slots=tuple(map(decoder.slot, of.get(9, []))),
        correction=next((known for known in corrections if known), None),
        addresses=memory_map.decode(of, decoder),
    )


def _of_kernel(machine: Machine) -> Tables:
    def read(name: str) -> str | None:
        return (machine.read(f"{_KERNEL}/{name}", 4096) or "").strip() or None

    return Tables(
        firmware=present(
            vendor=read("bios_vendor"),
            version=read("bios_version"),
            date=read("bios_date"),
            release=read("bios_release"),
        ),
        system=present(
            manufacturer=read("sys_vendor"),
            product=read("product_name"),
            version=read("product_version"),
            serial=read("product_serial"),
            uuid=uuid(read("product_uuid")),
            sku=read("product_sku"),
            family=read("product_family"),
        ),
        board=present(
            manufacturer=read("board_vendor"),
            product=read("board_name"),
            version=read("board_version"),
            serial=read("board_serial"),
            asset_tag=read("board_asset_tag"),
        ),
        chassis=present(
            manufacturer=read("chassis_vendor"),
            version=read("chassis_version"),
            serial=read("chassis_serial"),
            asset_tag=read("chassis_asset_tag"),
        ),
    )
