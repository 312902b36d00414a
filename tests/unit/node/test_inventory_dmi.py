"""DMI: the tables themselves, dmidecode's text, and what the kernel keeps."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from alchemy_node.inventory import dmi, dmidecode, smbios
from alchemy_node.processes import Output
from tests.unit.node import files

TABLE = "/sys/firmware/dmi/tables/DMI"
GIB = 1 << 30


def structure(kind: int, fields: bytes, *strings: bytes) -> bytes:
    """A structure as firmware writes it: type, length, handle, the fields from byte 4 on, strings."""
    text = b"".join(string + b"\0" for string in strings) or b"\0"
    return bytes([kind, 4 + len(fields), 0, 0]) + fields + text + b"\0"


END = structure(127, b"")


def memory_device(
    size: int = 0x4000,
    widths: tuple[int, int] = (72, 64),
    speed: int = 4800,
    running: int = 4400,
    extended: tuple[int, int, int] = (0, 0, 0),
) -> bytes:
    """Type 17 with the strings slot, bank, maker, serial, part."""
    fields = struct.pack("<HHHHHBBBBBHHBBBBBIHHHH", 0, 0, *widths, size, 9, 0, 1, 2, 0x22, 0, speed, 3, 4, 0, 5, 2,
                         extended[0], running, 0, 0, 0)  # fmt: skip
    fields += bytes(0x54 - 4 - len(fields)) + struct.pack("<II", *extended[1:])
    return structure(17, fields, b"A1", b"BANK 0", b"Hynix", b"TEST0001", b"HMCG88AEBRA168N")


def one_dimm(**fields: Any) -> dict[str, Any]:
    return smbios.dimm(next(smbios.structures(memory_device(**fields) + END)))


def test_a_dimm() -> None:
    assert one_dimm() == {
        "locator": "A1", "bank": "BANK 0", "size": 16 * GIB, "type": "DDR5", "form": "DIMM", "rated_mts": 4800,
        "running_mts": 4400, "ecc": True, "ranks": 2, "manufacturer": "Hynix", "part": "HMCG88AEBRA168N",
        "serial": "TEST0001",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        pytest.param({"size": 0}, {"size": 0, "type": None, "serial": None}, id="empty slot"),
        pytest.param({"size": 0xFFFF}, {"size": None}, id="unknown size"),
        pytest.param({"size": 0x8000 | 512}, {"size": 512 << 10}, id="KiB"),
        pytest.param({"size": 0x7FFF, "extended": (65536, 0, 0)}, {"size": 64 * GIB}, id="extended size"),
        pytest.param({"widths": (64, 64)}, {"ecc": False}, id="no ECC"),
        pytest.param({"widths": (80, 64)}, {"ecc": True}, id="ECC of DDR5"),
        pytest.param({"widths": (0xFFFF, 64)}, {"ecc": None}, id="unknown width"),
        pytest.param({"speed": 0, "running": 0}, {"rated_mts": None, "running_mts": None}, id="unknown speed"),
        pytest.param(
            {"speed": 0xFFFF, "running": 0xFFFF, "extended": (0, 70000, 68000)},
            {"rated_mts": 70000, "running_mts": 68000},
            id="extended speed",
        ),
    ],
)
def test_odd_dimms(fields: dict[str, Any], known: dict[str, Any]) -> None:
    found = one_dimm(**fields)
    assert {name: found.get(name) for name in known} == known


def test_a_structure_of_an_old_version_lacks_the_newer_fields() -> None:
    old = smbios.dimm(smbios.Structure(17, memory_device()[:0x1B], (b"A1", b"BANK 0")))
    assert old["size"] == 16 * GIB
    assert "running_mts" not in old
    assert "manufacturer" not in old


@pytest.mark.parametrize(
    ("status", "counts", "known"),
    [
        pytest.param(
            0x41,
            (12, 12, 24, 0, 0, 0),
            {"populated": True, "cores": 12, "threads": 24, "status": "enabled"},
            id="enabled",
        ),
        pytest.param(0x00, (0, 0, 0, 0, 0, 0), {"populated": False, "cores": None, "model": None}, id="empty socket"),
        pytest.param(0x43, (8, 8, 16, 0, 0, 0), {"status": "disabled by firmware"}, id="disabled"),
        pytest.param(
            0x41, (0xFF, 0xFF, 0xFF, 288, 288, 576), {"cores": 288, "cores_enabled": 288, "threads": 576}, id="many"
        ),
        pytest.param(0x41, (0, 0, 0, 0, 0, 0), {"cores": None, "threads": None}, id="unknown counts"),
    ],
)
def test_processors(status: int, counts: tuple[int, ...], known: dict[str, Any]) -> None:
    fields = struct.pack("<BBBBQBBHHHBBHHHBBBBBBHHHHH", 1, 3, 0xB3, 2, 0, 3, 0, 100, 4000, 2200, status, 0, 0, 0, 0,
                         4, 0, 5, *counts[:3], 0, 0, *counts[3:])  # fmt: skip
    cpu = structure(4, fields, b"CPU1", b"Intel", b"Xeon", b"TEST1", b"PART")
    found = smbios.processor(next(smbios.structures(cpu + END)))
    assert found is not None
    assert {name: found.get(name) for name in known} == known


def test_a_coprocessor_is_no_cpu() -> None:
    assert smbios.processor(smbios.Structure(4, bytes([4, 26, 0, 0, 0, 5]) + bytes(20), ())) is None


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        pytest.param(memory_device(), None, id="no end marker"),
        pytest.param(memory_device()[:-3], "the structure at byte 0 is corrupt", id="truncated strings"),
        pytest.param(END + b"garbage", None, id="what follows the end is not read"),
        pytest.param(memory_device() + b"\x11", "the table is truncated", id="truncated head"),
        pytest.param(b"\x11\x02\0\0\0\0" + END, "the structure at byte 0 is corrupt", id="length below the head's"),
        pytest.param(b"\x11\xff\0\0\0\0", "the structure at byte 0 is corrupt", id="length past the end"),
        pytest.param(structure(1, b"") * 5000, "more than 4096 structures", id="too many"),
    ],
)
def test_corrupt_tables(table: bytes, reason: str | None) -> None:
    if reason is None:
        assert list(smbios.structures(table))
        return
    with pytest.raises(ValueError, match=reason):
        list(smbios.structures(table))


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("Size: 16384 MB\n\tSpeed: 2400 MHz", {"size": 16 * GIB, "rated_mts": 2400}),
        ("Size: 32 GB\n\tConfigured Memory Speed: 2933 MT/s", {"size": 32 * GIB, "running_mts": 2933}),
        ("Size: 2 GB\n\tConfigured Clock Speed: 1333 MHz", {"size": 2 * GIB, "running_mts": 1333}),
        ("Size: No Module Installed\n\tSpeed: Unknown", {"size": 0, "rated_mts": None}),
        ("Size: Unknown", {"size": None}),
        ("Size: many GB", {"size": None}),
        ("Speed: 1333 MHz (0.8 ns)", {"rated_mts": 1333}),
        ("Total Width: 72 bits\n\tData Width: 64 bits", {"ecc": True}),
        ("Total Width: Unknown\n\tData Width: 64 bits", {"ecc": None}),
        ("Type: <OUT OF SPEC>\n\tManufacturer: Not Specified", {"type": None, "manufacturer": None}),
        ("Manufacturer: \x1b[2J", {"manufacturer": "\x1b[2J"}),
    ],
)
def test_dmidecode_of_a_dimm(text: str, known: dict[str, Any]) -> None:
    dump = f"# dmidecode 3.3\n\nHandle 0x0011, DMI type 17, 84 bytes\nMemory Device\n\t{text}\n\n"
    (section,) = dmidecode.sections(dump)
    found = dmidecode.dimm(section)
    assert {name: found.get(name) for name in known} == known


def test_the_tables_come_first(tmp_path: Path) -> None:
    machine = files.machine(tmp_path / "root", {TABLE: memory_device() * 2 + END}, outputs={"dmidecode": "unused"})
    found = dmi.collect(machine)
    assert len(found.value.dimms) == 2
    assert found.unknown == ()


DUMP = "Handle 0x0001, DMI type 1, 27 bytes\nSystem Information\n\tProduct Name: R640\n"


@pytest.mark.parametrize(
    ("table", "output", "product", "reasons"),
    [
        (None, DUMP, "R640", []),
        (b"\x11\x02\0\0", DUMP, "R640", ["the structure at byte 0 is corrupt"]),
        (None, Output(problem="not installed"), "from the kernel", ["absent or unreadable", "not installed"]),
        (b"\x11", Output(1, "", "Permission denied", "exit status 1"), "from the kernel",
         ["the table is truncated", "exit status 1: Permission denied"]),
        (None, "# No SMBIOS nor DMI entry point found, sorry.\n", "from the kernel",
         ["absent or unreadable", "unexpected output"]),
    ],
)  # fmt: skip
def test_what_stands_in_for_the_tables(
    table: bytes | None, output: str | Output, product: str, reasons: list[str], tmp_path: Path
) -> None:
    given: dict[str, str | bytes] = {"/sys/class/dmi/id/product_name": "from the kernel\n"}
    if table is not None:
        given[TABLE] = table
    found = dmi.collect(files.machine(tmp_path / "root", given, outputs={"dmidecode": output}))
    assert found.value.system["product"] == product
    assert [entry.reason for entry in found.unknown] == reasons
