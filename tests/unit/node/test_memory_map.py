"""Physical addresses and DIMMs: what DMI claims, and what makes it believed."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from alchemy_node.inventory import dmi, memory_map
from alchemy_node.inventory.memory_map import MemoryMap
from alchemy_node.machine import Machine
from alchemy_node.processes import Output
from tests import recorded
from tests.unit.node import files

GIB = 1 << 30
KIB = 1 << 10

# The kernel's map (/proc/iomem) of a machine with 64 GiB, and with a hole below 4 GiB that moves 2 GiB up.
RAM = """\
00001000-0009ffff : System RAM
000a0000-000fffff : PCI Bus 0000:00
00100000-7fffffff : System RAM
  01000000-01ffffff : Kernel code
80000000-ffffffff : PCI Bus 0000:00
100000000-107fffffff : System RAM
"""
FLAT = RAM.replace("100000000-107fffffff", "100000000-fffffffff").replace("00100000-7fffffff", "00100000-ffffffff")


def array(handle: int, use: str = "System Memory") -> str:
    return f"Handle {handle:#06x}, DMI type 16, 23 bytes\nPhysical Memory Array\n\tUse: {use}\n\n"


def dimm(handle: int, locator: str, size: str = "16 GB", array: int = 0x10) -> str:
    return (
        f"Handle {handle:#06x}, DMI type 17, 84 bytes\nMemory Device\n\tArray Handle: {array:#06x}\n"
        f"\tSize: {size}\n\tLocator: {locator}\n\n"
    )


def span(first: int, last: int) -> str:
    return f"\tStarting Address: {first:#013x}\n\tEnding Address: {last:#013x}\n"


def held(by: int, first: int, last: int) -> str:
    """An array and its range (type 19)."""
    return f"Handle 0x0019, DMI type 19, 31 bytes\n{span(first, last)}\tPhysical Array Handle: {by:#06x}\n\n"


def device(by: int, first: int, last: int, position: str = "") -> str:
    """A DIMM and its range (type 20)."""
    more = f"\tInterleave Position: {position}\n" if position else ""
    return (
        f"Handle 0x0020, DMI type 20, 35 bytes\n{span(first, last)}\tPhysical Device Handle: {by:#06x}\n"
        f"\tMemory Array Mapped Address Handle: 0x0019\n\tPartition Row Position: 1\n{more}\n"
    )


DIMMS = array(0x10) + dimm(0x20, "A1") + dimm(0x21, "A2") + dimm(0x22, "B1") + dimm(0x23, "B2")
EMPTY = dimm(0x2F, "C1", "No Module Installed")
WHOLE = [device(0x20 + number, number * 16 * GIB, (number + 1) * 16 * GIB - 1) for number in range(4)]
PAIRS = [
    device(0x20 + number, number // 2 * 32 * GIB, (number // 2 + 1) * 32 * GIB - 1, str(number % 2 + 1))
    for number in range(4)
]
TWO = array(0x10) + array(0x11) + dimm(0x20, "A1") + dimm(0x21, "A2") + dimm(0x22, "B1", array=0x11)
SOCKETS = TWO + dimm(0x23, "B2", array=0x11)
HALVES = [held(0x10, 0, 32 * GIB - 1), held(0x11, 32 * GIB, 64 * GIB - 1)]


def mapped(tmp_path: Path, dump: str, iomem: str = FLAT) -> MemoryMap:
    machine = files.machine(tmp_path, {"proc/iomem": iomem}, outputs={"dmidecode": Output(0, dump)})
    return memory_map.collect(machine, dmi.collect(machine).value.addresses)


def test_each_dimm_has_its_range(tmp_path: Path) -> None:
    found = mapped(tmp_path, EMPTY + DIMMS + "".join(WHOLE))
    # numbers count the empty slot
    assert found.at(0) == {1}
    assert found.at(16 * GIB - 1) == {1}
    assert found.at(16 * GIB) == {2}
    assert found.at(64 * GIB - 1) == {4}
    assert found.at(64 * GIB) == frozenset()
    assert not found.at(1 << 80)
    assert found.at(15 * GIB + 5, 4096) == {1}
    # an address that is not known well
    assert found.at(15 * GIB, 32 * GIB) == {1, 2}
    assert found.at(15 * GIB, 1 << 63) == {1, 2, 3, 4}


def test_interleaved_dimms_are_told_together(tmp_path: Path) -> None:
    found = mapped(tmp_path, DIMMS + "".join(PAIRS))
    assert found.interleaved
    assert [set(found.at(5)), set(found.at(40 * GIB))] == [{0, 1}, {2, 3}]


def test_the_arrays_count_where_the_dimms_have_no_ranges(tmp_path: Path) -> None:
    found = mapped(tmp_path, SOCKETS + "".join(HALVES))
    assert not found.interleaved
    assert [set(found.at(5)), set(found.at(40 * GIB))] == [{0, 1}, {2, 3}]


def test_the_hole_below_4_gib_belongs_to_nobody(tmp_path: Path) -> None:
    dump = SOCKETS + held(0x10, 0, 2 * GIB - 1) + held(0x10, 4 * GIB, 34 * GIB - 1) + held(0x11, 34 * GIB, 66 * GIB - 1)
    found = mapped(tmp_path, dump, RAM)
    assert found.at(3 * GIB) == frozenset()
    assert [set(found.at(n * GIB)) for n in (1, 33, 34)] == [{0, 1}, {0, 1}, {2, 3}]


# What nobody can believe → as whatever it is, no DIMM may be named by it.
GARBLED = {
    "reversed": [*WHOLE[:3], device(0x23, 64 * GIB - 1, 48 * GIB)],
    "reversed, and made up for": [
        device(0x20, 0, 20 * GIB - 1),
        device(0x20, 72 * GIB, 68 * GIB - 1),
        *(device(0x21 + n, (20 + n * 16) * GIB, (36 + n * 16) * GIB - 1) for n in range(3)),
    ],
    "both alone and interleaved": [
        WHOLE[0],
        device(0x20, 16 * GIB, 48 * GIB - 1, "1"),
        device(0x21, 16 * GIB, 48 * GIB - 1, "2"),
        device(0x22, 48 * GIB, 64 * GIB - 1),
    ],
    "overlapping": [*WHOLE[:3], device(0x23, 40 * GIB, 56 * GIB - 1)],
    "nested": [*WHOLE, device(0x20, 1 * GIB, 2 * GIB)],
    "the same for two, not interleaved": [*WHOLE[:3], device(0x22, 48 * GIB, 64 * GIB - 1)],
    "twice": [*WHOLE, WHOLE[0]],
    "interleaved with nobody": [*WHOLE[:3], device(0x23, 48 * GIB, 64 * GIB - 1, "1")],
    "interleaved, it is not known how": [*WHOLE[:3], device(0x23, 48 * GIB, 64 * GIB - 1, "Unknown")],
    "no such device": [*WHOLE[:3], device(0x99, 48 * GIB, 64 * GIB - 1)],
    "an empty slot": [EMPTY, *WHOLE[:3], device(0x2F, 48 * GIB, 64 * GIB - 1)],
    "one is missing": WHOLE[:3],
    "none": [],
    "huge": [*WHOLE[:3], device(0x23, 48 * GIB, (1 << 64) - 1)],
    "tiny": [*WHOLE[:3], device(0x23, 48 * GIB, 48 * GIB)],
    "half of it": [device(0x20 + n, n * 8 * GIB, (n + 1) * 8 * GIB - 1) for n in range(4)],
    "two in unlike shares": [device(0x20, 0, 8 * GIB - 1), device(0x20, 16 * GIB, 40 * GIB - 1), *WHOLE[2:]],
    "no addresses": [WHOLE[0].replace("Starting Address", "Start"), *WHOLE[1:]],
    "words": [re.sub("Ending Address: .*", "Ending Address: the end", WHOLE[0]), *WHOLE[1:]],
    "no handles": [re.sub("Physical Device Handle: .*", "", WHOLE[0]), *WHOLE[1:]],
    "cut off": ["".join(WHOLE)[:-120]],
    "many": [device(0x20, n * KIB, n * KIB + KIB - 1) for n in range(5000)],
}


@pytest.mark.parametrize("ranges", GARBLED.values(), ids=GARBLED.keys())
def test_garbled_claims_name_no_dimm(tmp_path: Path, ranges: list[str]) -> None:
    assert mapped(tmp_path, DIMMS + "".join(ranges)) == MemoryMap()


def test_a_dimm_that_two_structures_call_by_one_handle_is_not_told_apart(tmp_path: Path) -> None:
    dump = array(0x10) + dimm(0x20, "A1", "8 GB") + dimm(0x20, "A2", "8 GB") + dimm(0x21, "B1", "48 GB")
    assert mapped(tmp_path, dump + WHOLE[0] + device(0x21, 16 * GIB, 64 * GIB - 1)) == MemoryMap()


@pytest.mark.parametrize(
    "dump",
    [
        # the memory of both sockets, given to one, as some firmware does
        SOCKETS + held(0x10, 0, 2 * GIB - 1) + held(0x11, 2 * GIB, 64 * GIB - 1),
        SOCKETS + held(0x10, 0, 64 * GIB - 1),
        SOCKETS + "".join(HALVES) + held(0x12, 64 * GIB, 65 * GIB),
        SOCKETS + held(0x10, 0, 33 * GIB) + held(0x11, 32 * GIB, 64 * GIB - 1),
        SOCKETS.replace("System Memory", "Flash Memory") + "".join(HALVES),
        SOCKETS.replace("16 GB", "Unknown", 1) + "".join(HALVES),
        array(0x10) + array(0x11) + held(0x10, 0, 64 * GIB - 1),
    ],
)
def test_arrays_that_contradict_their_dimms_name_none(tmp_path: Path, dump: str) -> None:
    assert mapped(tmp_path, dump) == MemoryMap()


@pytest.mark.parametrize(
    "iomem",
    [
        "",
        # as all but root read it
        "00000000-00000000 : System RAM\n00000000-00000000 : System RAM\n",
        # the hole moves 2 GiB above what DMI claims
        RAM,
        FLAT + "1000000000-10000fffff : System RAM\n",
        FLAT.replace(" : System RAM", " : Reserved"),
        "garbage\n" * 10,
    ],
)
def test_a_map_that_the_kernel_contradicts_names_no_dimm(tmp_path: Path, iomem: str) -> None:
    assert mapped(tmp_path, DIMMS + "".join(WHOLE), iomem) == MemoryMap()
    assert mapped(tmp_path, SOCKETS + "".join(HALVES), iomem) == MemoryMap()


# The tables themselves.


def structure(kind: int, handle: int, body: bytes, *strings: bytes) -> bytes:
    return struct.pack("<BBH", kind, 4 + len(body), handle) + body + b"\0".join(strings) + b"\0\0"


def table(ranges: bytes) -> bytes:
    dimms = b"".join(
        structure(17, 0x20 + n, struct.pack("<HHHHHBBBB", 0x10, 0xFFFE, 72, 64, 16 << 10, 9, 0, 1, 0), b"A%d" % n)
        for n in range(4)
    )
    return structure(16, 0x10, bytes([3, 3, 5])) + dimms + ranges + structure(127, 0x7F, b"")


def of_device(number: int, first: int, last: int, position: int = 0, *, wide: bool = False) -> bytes:
    start, end = (0xFFFFFFFF, 0xFFFFFFFF) if wide else (first // KIB, last // KIB)
    extended = struct.pack("<QQ", first, last) if wide else b""
    return structure(
        20, 0x30 + number, struct.pack("<IIHHBBB", start, end, 0x20 + number, 0x19, 1, position, 0) + extended
    )


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(("position", "at"), [(0, [{0}, {2}]), (1, [{0, 1}, {2, 3}])])
def test_the_tables_say_the_same(tmp_path: Path, wide: bool, position: int, at: list[set[int]]) -> None:
    count = 2 if position else 1
    ranges = b"".join(
        of_device(n, n // count * count * 16 * GIB, (n // count + 1) * count * 16 * GIB - 1, position, wide=wide)
        for n in range(4)
    )
    machine = files.machine(tmp_path, {"proc/iomem": FLAT, "sys/firmware/dmi/tables/DMI": table(ranges)})
    found = memory_map.collect(machine, dmi.collect(machine).value.addresses)
    assert [set(found.at(5)), set(found.at(33 * GIB))] == at


@pytest.mark.parametrize("cut", [1, 4, 9, 12, 17])
def test_a_structure_that_ends_too_early_makes_the_whole_map_unknown(tmp_path: Path, cut: int) -> None:
    short = structure(20, 0x33, struct.pack("<IIHHBBB", 0, 1, 0x23, 0x19, 1, 0, 0)[:-cut])
    ranges = b"".join(of_device(n, n * 16 * GIB, (n + 1) * 16 * GIB - 1) for n in range(3)) + short
    machine = files.machine(tmp_path, {"proc/iomem": FLAT, "sys/firmware/dmi/tables/DMI": table(ranges)})
    assert memory_map.collect(machine, dmi.collect(machine).value.addresses) == MemoryMap()


# Recorded machines. None has ranges of its DIMMs; those of the arrays are all there is.


def recorded_map(name: str, tmp_path: Path, iomem: str) -> MemoryMap:
    machine = recorded.named(name, tmp_path)
    (machine.root / "proc").mkdir(parents=True, exist_ok=True)
    (machine.root / "proc/iomem").write_text(iomem, encoding="ascii")
    return memory_map.collect(machine, dmi.collect(machine).value.addresses)


def ram(*spans: tuple[int, int]) -> str:
    return "".join(f"{first:08x}-{last:08x} : System RAM\n" for first, last in spans)


@pytest.mark.parametrize(
    ("name", "top", "at", "dimms"),
    [
        # one array: no address tells one DIMM from another
        ("dell-r720-2012", 0x102FFFFFFF, 0x100000000, 8),
        ("quanta-d54q-2023", 0x407FFFFFFF, 0x2080000000, 16),
        ("huawei-taishan-200-2020", 0x7FFFFFFFFF, 0x100000000, 16),
        # the array of an empty socket claims all above 4 GiB; the other way round, more than it has
        ("hpe-dl380-gen10-one-dimm-2023", 0x83FFFFFFF, 0x100000000, 0),
        ("hpe-dl385-gen10-2018", 0x407FFFFFFF, 0x100000000, 0),
        # four arrays of four DIMMs, if there is no hole below 4 GiB
        ("quanta-t41s-2014", 0x3FFFFFFFFF, 0x1000000000, 4),
        ("quanta-t41s-2014", 0x407FFFFFFF, 0x1000000000, 0),
        ("supermicro-ssg-6029p-2020", 0x3FFFFFFFFF, 0x1000000000, 0),
    ],
)
def test_recorded_machines(tmp_path: Path, name: str, top: int, at: int, dimms: int) -> None:
    iomem = ram((0x100000, 0x7FFFFFFF), (0x100000000, top))
    assert len(recorded_map(name, tmp_path, iomem).at(at)) == dimms


@pytest.mark.parametrize("name", sorted(path.name for path in recorded.MACHINES.iterdir() if path.is_dir()))
def test_no_recorded_machine_is_believed_without_the_kernels_map(tmp_path: Path, name: str) -> None:
    machine: Machine = recorded.named(name, tmp_path)
    assert memory_map.collect(machine, dmi.collect(machine).value.addresses) == MemoryMap()
