"""The tables of DMI as dmidecode prints them, for machines whose tables themselves are out of reach."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from alchemy_node.inventory.facts import Json, number, present, uuid

# What dmidecode prints for a field that the firmware left out. It is dmidecode's word, not the machine's.
_ABSENT = {"Not Specified", "Unknown", "<OUT OF SPEC>", "<BAD INDEX>", "Not Present", "None", "Not Provided"}

_UNITS = {"kB": 1 << 10, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
_CORRECTION = {
    "None": "none",
    "Parity": "parity",
    "Single-bit ECC": "single-bit",
    "Multi-bit ECC": "multi-bit",
    "CRC": "crc",
}
_STATUS = {
    "Enabled": "enabled",
    "Disabled By User": "disabled by user",
    "Disabled By BIOS": "disabled by firmware",
    "Idle": "idle",
}


@dataclass(frozen=True)
class Section:
    """One structure: its type, its one-line fields, and its handle."""

    type: int
    fields: Mapping[str, str]
    handle: int | None = None

    def get(self, *names: str) -> str | None:
        """The first of these fields that has a value."""
        for name in names:
            value = self.fields.get(name, "").strip()
            if value and value not in _ABSENT:
                return value
        return None


def sections(text: str) -> Iterator[Section]:
    """The structures of a dump."""
    for block in re.split(r"^(?=Handle 0x)", text, flags=re.MULTILINE):
        head = re.match(r"Handle 0x([0-9A-Fa-f]{1,8}), DMI type (\d{1,3}),", block)
        if head:
            fields = re.findall(r"^(?:\t| {8}| {4})([^\s:][^:\n]{0,60}):[ \t]*(.*)$", block, flags=re.MULTILINE)
            yield Section(int(head[2]), dict(fields), int(head[1], 16))


def bios(section: Section) -> Json:
    """Type 0."""
    return present(
        vendor=section.get("Vendor"),
        version=section.get("Version"),
        date=section.get("Release Date"),
        release=section.get("BIOS Revision"),
    )


def system(section: Section) -> Json:
    """Type 1."""
    return board(section) | present(
        uuid=uuid(section.get("UUID")), sku=section.get("SKU Number"), family=section.get("Family")
    )


def board(section: Section) -> Json:
    """Types 2 and 3; 1 begins with the same fields."""
    return present(
        manufacturer=section.get("Manufacturer"),
        product=section.get("Product Name"),
        version=section.get("Version"),
        serial=section.get("Serial Number"),
        asset_tag=section.get("Asset Tag"),
    )


chassis = board


def processor(section: Section) -> Json | None:
    """Type 4; None for another kind of processor."""
    if section.get("Type") not in ("Central Processor", None):
        return None
    status = section.get("Status") or ""
    if status.startswith("Unpopulated"):
        return present(socket=section.get("Socket Designation"), populated=False)
    return present(
        socket=section.get("Socket Designation"),
        populated=True,
        manufacturer=section.get("Manufacturer"),
        model=section.get("Version"),
        cores=number(section.get("Core Count")),
        cores_enabled=number(section.get("Core Enabled")),
        threads=number(section.get("Thread Count")),
        max_mhz=number(section.get("Max Speed")),
        mhz=number(section.get("Current Speed")),
        serial=section.get("Serial Number"),
        part=section.get("Part Number"),
        status=_STATUS.get(status.removeprefix("Populated, ")),
    )


def slot(section: Section) -> Json:
    """Type 9."""
    address = section.get("Bus Address") or ""
    return present(
        name=section.get("Designation"),
        in_use={"Available": False, "In Use": True}.get(section.get("Current Usage") or ""),
        address=address if re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", address) else None,
    )


def correction(section: Section) -> str | None:
    """Type 16: how system memory corrects errors; None for other memory."""
    if section.get("Use") != "System Memory":
        return None
    return _CORRECTION.get(section.fields.get("Error Correction Type", "").strip())


def dimm(section: Section) -> Json:
    """Type 17."""
    size = _size(section.get("Size"))
    slot = present(locator=section.get("Locator"), bank=section.get("Bank Locator"), size=size)
    if size == 0:
        return slot
    total, data = number(section.get("Total Width")), number(section.get("Data Width"))
    kind, form = section.get("Type"), section.get("Form Factor")
    return slot | present(
        type=kind if kind != "Other" else None,
        form=form if form != "Other" else None,
        rated_mts=number(section.get("Speed")) or None,
        running_mts=number(section.get("Configured Memory Speed", "Configured Clock Speed")) or None,
        ecc=total > data if total and data else None,
        ranks=number(section.get("Rank")) or None,
        manufacturer=section.get("Manufacturer"),
        part=section.get("Part Number"),
        serial=section.get("Serial Number"),
    )


def handle(section: Section) -> int | None:
    """Any type."""
    return section.handle


def holds_system_memory(section: Section) -> bool:
    """Type 16."""
    return section.get("Use") == "System Memory"


def array_handle(section: Section) -> int | None:
    """Type 17: the handle of its array."""
    return _hexadecimal(section.get("Array Handle"))


def mapped(section: Section) -> tuple[tuple[int, int], int] | None:
    """Types 19 and 20: the first and the last address, and the handle of the array or the device; None if garbled."""
    first, last = _hexadecimal(section.get("Starting Address")), _hexadecimal(section.get("Ending Address"))
    owner = _hexadecimal(section.get("Physical Array Handle", "Physical Device Handle"))
    return None if first is None or last is None or owner is None else ((first, last), owner)


def interleaved(section: Section) -> bool:
    """Type 20. A position of 0, which is not interleaved, is not printed."""
    return "Interleave Position" in section.fields or "Partition Row Position" not in section.fields


def size(section: Section) -> int | None:
    """Type 17: bytes; 0 for an empty slot."""
    return _size(section.get("Size"))


def _hexadecimal(text: str | None) -> int | None:
    """A handle, or an address in bytes: dmidecode prints a "k" behind those that need 64 bits, and means bytes, too."""
    found = re.fullmatch(r"0x([0-9A-Fa-f]{1,16})k?", text or "")
    return int(found[1], 16) if found else None


def _size(text: str | None) -> int | None:
    """Bytes of "16 GB" or "16384 MB" ...; 0 for an empty slot."""
    if text == "No Module Installed":
        return 0
    amount, _, unit = (text or "").partition(" ")
    return int(amount) * _UNITS[unit] if unit in _UNITS and re.fullmatch(r"[0-9]{1,9}", amount) else None
