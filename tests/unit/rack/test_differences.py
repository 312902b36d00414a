"""What differs between two inventories of a machine, as a technician reads it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemy.rack.records.differences import MOST, compare

GIB = 1 << 30
MACHINE: dict[str, Any] = {
    "system": {"manufacturer": "Maker", "product": "Box 2", "serial": "S-1"},
    "firmware": {"version": "3.4", "mode": "bios", "secure_boot": False},
    "bmc": {"firmware": "1.10", "mac": "52:54:00:00:01:00"},
    "dimms": [
        {"locator": "A1", "size": 16 * GIB, "part": "M393", "serial": "D1", "running_mts": 3200},
        {"locator": "A2", "size": 16 * GIB, "part": "M393", "serial": "D2", "running_mts": 3200},
        {"locator": "A3"},
    ],
    "cpus": [{"socket": "CPU1", "model": "Xeon 6130", "microcode": "0x1"}, {"socket": "CPU2", "populated": False}],
    "disks": [
        {"name": "sda", "bay": "0", "model": "HUS7", "size": 8 * 10**12, "serial": "H1", "firmware": "V8"},
        {"name": "sdb", "bay": "1", "model": "HUS7", "size": 8 * 10**12, "serial": "H2", "firmware": "V8"},
        {"name": "sdc", "removable": True, "model": "Virtual CD"},
    ],
    "raid": [{"model": "SAS3108", "drives": [{"type": "megaraid,7", "serial": "R1", "model": "ST8"}]}],
    "nics": [
        {
            "name": "eth0",
            "mac": "52:54:00:00:00:01",
            "driver": "i40e",
            "link": True,
            "speed_mbps": 10000,
            "neighbours": [{"system_name": "tor-7", "port_id": "Ethernet1/12"}],
        }
    ],
    "pci": [
        {"address": "0000:01:00.0", "vendor": "8086", "device": "1572", "vendor_name": "Intel", "device_name": "X710"},
        {"address": "0000:02:00.0", "vendor": "8086", "device": "1572", "vendor_name": "Intel", "device_name": "X710"},
    ],
}


def changed(path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """Returns the machine with another value in one place; ... takes the place away."""
    machine = copy.deepcopy(MACHINE)
    *way, last = path
    place: Any = machine
    for step in way:
        place = place[step]
    if value is ...:
        del place[last]
    elif last == "+":
        place.append(value)
    else:
        place[last] = value
    return machine


ROWS: list[tuple[tuple[str | int, ...], object, list[str]]] = [
    (("dimms", 1), ..., ["DIMM A2: gone (16 GiB M393, serial D2)"]),
    (("dimms", 1, "size"), 0, ["DIMM A2: gone (16 GiB M393, serial D2)"]),
    (
        ("dimms", 2),
        {"locator": "A3", "size": 32 * GIB, "part": "M394", "serial": "D3"},
        ["DIMM A3: new (32 GiB M394, serial D3)"],
    ),
    (
        ("dimms", 1, "serial"),
        "D9",
        ["DIMM A2: replaced (16 GiB M393, serial D9; was 16 GiB M393, serial D2)"],
    ),
    (("dimms", 1, "locator"), "B2", ["DIMM B2: moved here from A2 (16 GiB M393, serial D2)"]),
    (("dimms", 0, "running_mts"), 2666, ["DIMM A1: MT/s 2666, was 3200"]),
    (("dimms", 0, "size"), 8 * GIB, ["DIMM A1: size 8 GiB, was 16 GiB"]),
    (("dimms",), ..., ["DIMMs: not in this inventory (2 before)"]),
    (("cpus", 1, "populated"), True, ["CPU2: new"]),
    (("cpus", 0, "microcode"), "0x2", ["CPU1: microcode 0x2, was 0x1"]),
    (("cpus", 0), {"socket": "CPU1", "populated": False}, ["CPU1: gone (Xeon 6130)"]),
    (("disks", 0), ..., ["disk 0: gone (8 TB HUS7, serial H1)"]),
    (("disks", 0, "serial"), "H9", ["disk 0: replaced (8 TB HUS7, serial H9; was 8 TB HUS7, serial H1)"]),
    (("disks", 0, "serial"), ..., []),
    (("disks", 0, "firmware"), "V9", ["disk 0: firmware V9, was V8"]),
    (("disks", 0, "name"), "sdq", []),
    (("disks", 0, "health"), {"passed": False, "reallocated": 9}, []),
    (("disks", 2), ..., []),
    (("raid", 0, "drives"), [], ["drive megaraid,7: gone (ST8, serial R1)"]),
    (("nics", 0), ..., ["port eth0: gone (i40e, MAC 52:54:00:00:00:01)"]),
    (
        ("nics", 0, "mac"),
        "52:54:00:00:00:09",
        ["port eth0: replaced (i40e, MAC 52:54:00:00:00:09; was i40e, MAC 52:54:00:00:00:01)"],
    ),
    (("nics", 0, "name"), "eth4", []),
    (("nics", 0, "link"), False, ["port eth0: link no, was yes"]),
    (("nics", 0, "speed_mbps"), 1000, ["port eth0: Mb/s 1000, was 10000"]),
    (
        ("nics", 0, "neighbours", 0, "port_id"),
        "Ethernet1/13",
        ["port eth0: neighbour tor-7 Ethernet1/13, was tor-7 Ethernet1/12"],
    ),
    (("pci", 1), ..., ["PCI device Intel X710 [8086:1572]: 1 of them, were 2"]),
    (("pci", 1, "address"), "0000:41:00.0", []),
    (
        ("pci", "+"),
        {"vendor": "1000", "device": "0097", "device_name": "SAS3008", "slot": "6"},
        ["PCI device SAS3008 [1000:0097] in slot 6: new"],
    ),
    (("firmware", "version"), "3.5", ["firmware: version 3.5, was 3.4"]),
    (("firmware", "mode"), "uefi", ["firmware: boot mode uefi, was bios"]),
    (("firmware", "secure_boot"), True, ["firmware: Secure Boot yes, was no"]),
    (("firmware", "version"), ..., []),
    (("bmc", "firmware"), "1.11", ["BMC: firmware 1.11, was 1.10"]),
    (("system", "serial"), "S-2", ["system: serial S-2, was S-1"]),
    (("taken",), "2030-01-02T03:04:05Z", []),
]


@pytest.mark.parametrize(("path", "value", "said"), ROWS, ids=[f"{row[0]}-{row[1]}"[:60] for row in ROWS])
def test_what_is_said(path: tuple[str | int, ...], value: object, said: list[str]) -> None:
    assert compare({"alchemy": MACHINE}, {"alchemy": changed(path, value)}) == said


def test_an_error_counter_that_grows() -> None:
    before = changed(("disks", 0, "health"), {"passed": True, "reallocated": 0, "pending": 4})
    after = changed(("disks", 0, "health"), {"passed": False, "reallocated": 8, "pending": 0})
    said = ["disk 0: health passed no, was yes", "disk 0: reallocated sectors 8, was 0"]
    assert compare({"alchemy": before}, {"alchemy": after}) == said


def test_a_serial_that_several_parts_have_identifies_none() -> None:
    before = {"dimms": [{"locator": slot, "size": GIB, "serial": "00000000"} for slot in ("A1", "A2")]}
    after = {"dimms": before["dimms"][:1]}
    said = ["DIMM A2: gone (1 GiB, serial 00000000)"]
    assert compare({"alchemy": before}, {"alchemy": after}) == said


def test_the_number_and_the_length_of_sentences_are_bounded() -> None:
    after = {"dimms": [{"locator": f"{number:0200}", "size": 1, "part": "P" * 999} for number in range(MOST + 7)]}
    said = compare({"alchemy": {"dimms": []}}, {"alchemy": after})
    assert len(said) == MOST + 1
    assert said[-1] == "7 more differences"
    assert max(map(len, said)) <= 301


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["size", "serial", "mac"]), inner),
    max_leaves=6,
)
_PATHS = [row[0] for row in ROWS if "+" not in row[0]]


@given(path=st.sampled_from(_PATHS), value=_JSON)
def test_no_value_of_a_node_breaks_it(path: tuple[str | int, ...], value: object) -> None:
    if len(path) > 1 and path[-1] in ("health", "drives"):
        path = path[:-1]
    for before, after in ((MACHINE, changed(path, value)), (changed(path, value), MACHINE)):
        said = compare({"alchemy": before}, {"alchemy": after})
        assert all(sentence.isprintable() for sentence in said)


@pytest.mark.parametrize("document", [{}, {"alchemy": None}, {"alchemy": {"schema": 1}}, {"inventory": {}}])
def test_an_inventory_that_says_nothing(document: dict[str, Any]) -> None:
    assert compare(document, {"alchemy": MACHINE}) == []
