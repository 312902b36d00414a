"""The tables of DMI as the firmware wrote them (SMBIOS 3.7, DMTF DSP0134)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from alchemy_node.inventory.facts import Json, present

KIB, MIB = 1 << 10, 1 << 20

# More structures than any firmware writes: the rest of such a table is garbage.
_MOST = 4096

_MEMORY_TYPES = {
    0x03: "DRAM", 0x04: "EDRAM", 0x05: "VRAM", 0x06: "SRAM", 0x07: "RAM", 0x09: "Flash",
    0x0F: "SDRAM", 0x11: "RDRAM", 0x12: "DDR", 0x13: "DDR2", 0x14: "DDR2 FB-DIMM", 0x18: "DDR3",
    0x19: "FBD2", 0x1A: "DDR4", 0x1B: "LPDDR", 0x1C: "LPDDR2", 0x1D: "LPDDR3", 0x1E: "LPDDR4",
    0x1F: "Logical non-volatile device", 0x20: "HBM", 0x21: "HBM2", 0x22: "DDR5", 0x23: "LPDDR5", 0x24: "HBM3",
}  # fmt: skip
_FORMS = {
    0x03: "SIMM", 0x08: "Proprietary Card", 0x09: "DIMM", 0x0B: "Row of chips", 0x0C: "RIMM", 0x0D: "SODIMM",
    0x0F: "FB-DIMM", 0x10: "Die", 0x11: "CAMM",
}  # fmt: skip
_CORRECTION = {3: "none", 4: "parity", 5: "single-bit", 6: "multi-bit", 7: "crc"}
_STATUS = {1: "enabled", 2: "disabled by user", 3: "disabled by firmware", 4: "idle", 7: "other"}


@dataclass(frozen=True)
class Structure:
    """One structure: `data` is its formatted part from the type byte on. A field past its end is None."""

    type: int
    data: bytes
    strings: tuple[bytes, ...]

    def byte(self, offset: int) -> int | None:
        return self._number("B", offset)

    def word(self, offset: int) -> int | None:
        return self._number("<H", offset)

    def double(self, offset: int) -> int | None:
        return self._number("<I", offset)

    def quad(self, offset: int) -> int | None:
        return self._number("<Q", offset)

    def text(self, offset: int) -> str | None:
        """The string that a field numbers; None for no string."""
        index = self.byte(offset)
        if not index or index > len(self.strings):
            return None
        return self.strings[index - 1].decode(errors="replace")

    def _number(self, form: str, offset: int) -> int | None:
        if offset + struct.calcsize(form) > len(self.data):
            return None
        value: int = struct.unpack_from(form, self.data, offset)[0]
        return value


def structures(table: bytes) -> Iterator[Structure]:
    """The structures of a table up to its end marker; raises ValueError where the table is corrupt."""
    at = 0
    for _ in range(_MOST):
        if at == len(table):
            return
        if at + 4 > len(table):
            raise ValueError("the table is truncated")
        kind, length = table[at], table[at + 1]
        end = table.find(b"\0\0", at + length)
        if length < 4 or end < 0:
            raise ValueError(f"the structure at byte {at} is corrupt")
        strings = table[at + length : end]
        yield Structure(kind, table[at : at + length], tuple(strings.split(b"\0")) if strings else ())
        if kind == 127:
            return
        at = end + 2
    raise ValueError(f"more than {_MOST} structures")


def bios(structure: Structure) -> Json:
    """Type 0."""
    major, minor = structure.byte(0x14), structure.byte(0x15)
    known = major is not None and minor is not None and major != 0xFF and minor != 0xFF
    return present(
        vendor=structure.text(0x04),
        version=structure.text(0x05),
        date=structure.text(0x08),
        release=f"{major}.{minor}" if known else None,
    )


def system(structure: Structure) -> Json:
    """Type 1."""
    return present(
        manufacturer=structure.text(0x04),
        product=structure.text(0x05),
        version=structure.text(0x06),
        serial=structure.text(0x07),
        uuid=_uuid(structure.data[0x08:0x18]),
        sku=structure.text(0x19),
        family=structure.text(0x1A),
    )


def board(structure: Structure) -> Json:
    """Type 2."""
    return present(
        manufacturer=structure.text(0x04),
        product=structure.text(0x05),
        version=structure.text(0x06),
        serial=structure.text(0x07),
        asset_tag=structure.text(0x08),
    )


def chassis(structure: Structure) -> Json:
    """Type 3."""
    return present(
        manufacturer=structure.text(0x04),
        version=structure.text(0x06),
        serial=structure.text(0x07),
        asset_tag=structure.text(0x08),
    )


def processor(structure: Structure) -> Json | None:
    """Type 4; None for another kind of processor."""
    if structure.byte(0x05) not in (3, None):
        return None
    status = structure.byte(0x18)
    populated = status is None or bool(status & 0x40)
    if not populated:
        return present(socket=structure.text(0x04), populated=False)
    return present(
        socket=structure.text(0x04),
        populated=True,
        manufacturer=structure.text(0x07),
        model=structure.text(0x10),
        cores=_cores(structure, 0x23, 0x2A),
        cores_enabled=_cores(structure, 0x24, 0x2C),
        threads=_cores(structure, 0x25, 0x2E),
        max_mhz=structure.word(0x14) or None,
        mhz=structure.word(0x16) or None,
        serial=structure.text(0x20),
        part=structure.text(0x22),
        status=None if status is None else _STATUS.get(status & 0x07),
    )


def slot(structure: Structure) -> Json:
    """Type 9."""
    domain, bus, place = structure.word(0x0D), structure.byte(0x0F), structure.byte(0x10)
    address = None
    if domain is not None and bus is not None and place is not None and (domain, bus, place) != (0xFFFF, 0xFF, 0xFF):
        address = f"{domain:04x}:{bus:02x}:{place >> 3:02x}.{place & 7}"
    usage = structure.byte(0x07)
    return present(name=structure.text(0x04), in_use={3: False, 4: True}.get(usage or 0), address=address)


def correction(structure: Structure) -> str | None:
    """Type 16: how system memory corrects errors; None for other memory."""
    return _CORRECTION.get(structure.byte(0x06) or 0) if structure.byte(0x05) == 3 else None


def dimm(structure: Structure) -> Json:
    """Type 17."""
    size = _size(structure)
    slot = present(locator=structure.text(0x10), bank=structure.text(0x11), size=size)
    if size == 0:
        return slot
    total, data = structure.word(0x08), structure.word(0x0A)
    widths = total not in (None, 0, 0xFFFF) and data not in (None, 0, 0xFFFF)
    return slot | present(
        type=_MEMORY_TYPES.get(structure.byte(0x12) or 0),
        form=_FORMS.get(structure.byte(0x0E) or 0),
        rated_mts=_speed(structure, 0x15, 0x54),
        running_mts=_speed(structure, 0x20, 0x58),
        ecc=(total or 0) > (data or 0) if widths else None,
        ranks=(structure.byte(0x1B) or 0) & 0x0F or None,
        manufacturer=structure.text(0x17),
        part=structure.text(0x1A),
        serial=structure.text(0x18),
    )


def handle(structure: Structure) -> int | None:
    """Any type."""
    return structure.word(0x02)


def holds_system_memory(structure: Structure) -> bool:
    """Type 16."""
    return structure.byte(0x05) == 3


def array_handle(structure: Structure) -> int | None:
    """Type 17: the handle of its array."""
    return structure.word(0x04)


def mapped(structure: Structure) -> tuple[tuple[int, int], int] | None:
    """Types 19 and 20: the first and the last address, and the handle of the array or the device; None if garbled."""
    first, last, owner = structure.double(0x04), structure.double(0x08), structure.word(0x0C)
    if first is None or last is None or owner is None:
        return None
    if first != 0xFFFFFFFF:
        return (first * KIB, last * KIB + KIB - 1), owner
    # too high for 32 bits of KiB: in bytes further behind
    extended = 0x0F if structure.type == 19 else 0x13
    start, end = structure.quad(extended), structure.quad(extended + 8)
    return None if start is None or end is None else ((start, end), owner)


def interleaved(structure: Structure) -> bool:
    """Type 20: 0 is not interleaved, 0xFF unknown."""
    return structure.byte(0x11) != 0


def size(structure: Structure) -> int | None:
    """Type 17: bytes; 0 for an empty slot."""
    return _size(structure)


def _cores(structure: Structure, short: int, wide: int) -> int | None:
    """A count of cores or threads: one byte, and from SMBIOS 3.0 on a word where the byte is too small."""
    count = structure.byte(short)
    if count == 0xFF:
        count = structure.word(wide)
    return None if count in (0, 0xFFFF) else count


def _size(structure: Structure) -> int | None:
    """Bytes: the word has MiB, or KiB with bit 15; 0xFFFF is unknown, 0x7FFF points to the extended size."""
    size = structure.word(0x0C)
    if size is None or size == 0xFFFF:
        return None
    if size == 0x7FFF:
        extended = structure.double(0x1C)
        return None if extended is None else (extended & 0x7FFFFFFF) * MIB
    return (size & 0x7FFF) * KIB if size & 0x8000 else size * MIB


def _speed(structure: Structure, short: int, wide: int) -> int | None:
    speed = structure.word(short)
    if speed == 0xFFFF:
        speed = structure.double(wide)
    return speed or None


def _uuid(data: bytes) -> str | None:
    """The UUID as dmidecode and the kernel write it since SMBIOS 2.6: the first three fields are little-endian."""
    if len(data) < 16 or data in (b"\0" * 16, b"\xff" * 16):
        return None
    first, second, third = struct.unpack_from("<IHH", data)
    return f"{first:08x}-{second:04x}-{third:04x}-{data[8:10].hex()}-{data[10:16].hex()}"
