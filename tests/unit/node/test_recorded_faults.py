"""Faults of recorded machines: judging finds them by itself, expectations that were learned before find them too."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alchemy_node import judging
from alchemy_node.expect import compare, file, learn
from alchemy_node.inventory import document
from alchemy_node.machine import Machine
from tests import recorded

STORAGE = "supermicro-ssg-6029p-2020"
GPU = "dell-r7625-2023"
RAID = "dell-r640-2018"

Break = Callable[[Path], None]


def machine(name: str, place: Path, fault: Break | None = None) -> Machine:
    """A recorded machine of which a fault may change files and recordings."""
    recorded.unpack(recorded.MACHINES / name / "files.txt", place / "root")
    shutil.copytree(recorded.MACHINES / name / "tools", place / "tools")
    if fault:
        fault(place)
    return Machine(place / "root", recorded.Recorded(place / "tools"))


def inventory(name: str, place: Path, fault: Break | None = None) -> Any:
    return document.collect(machine(name, place, fault))


@pytest.fixture(scope="module")
def as_recorded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """The inventory of a recorded machine; each is taken once."""
    return functools.cache(lambda name: inventory(name, tmp_path_factory.mktemp(name) / "machine"))


def no_dimm(locator: str) -> Break:
    """Takes a DIMM out of its slot."""

    def fault(place: Path) -> None:
        path = place / "tools" / "dmidecode"
        structures = path.read_text().split("\n\n")
        [index] = [at for at, text in enumerate(structures) if f"\tLocator: {locator}\n" in text]
        kept = [line for line in structures[index].splitlines() if "Speed" not in line and "Part Number" not in line]
        structures[index] = "\n".join(
            "\tSize: No Module Installed" if line.startswith("\tSize:") else line for line in kept
        )
        path.write_text("\n\n".join(structures))

    return fault


def link(address: str, **values: str) -> Break:
    """Changes the link of a PCI function."""

    def fault(place: Path) -> None:
        for key, value in values.items():
            (place / "root/sys/bus/pci/devices" / address / key).write_text(f"{value}\n")

    return fault


def smart(*argv: str, **values: object) -> Break:
    """Changes what smartctl says."""

    def fault(place: Path) -> None:
        path = place / "tools" / recorded.name(["smartctl", "-x", "-j", *argv])
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return fault


@pytest.mark.parametrize("name", [GPU, RAID, "hp-dl360p-gen8-2013"])
def test_a_good_machine_has_no_findings(name: str, as_recorded: Callable[[str], Any]) -> None:
    assert judging.judge(as_recorded(name)) == []


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        (STORAGE, "WARN every DIMM runs at 2400 MT/s, rated 2933"),
        ("hpe-dl380-gen10-one-dimm-2023", "WARN socket Proc 2: the socket is empty, others are populated"),
        ("hp-dl180-2009", "WARN socket Proc 2: the socket is empty, others are populated"),
        (
            "quanta-d54q-2023",
            "WARN DIMM CPU0_G0, serial 7E570007: it is a M321R2GA3BB6-CQKDG, others are M321",
        ),
        (
            "delta-dss-c621-2021",
            "FAIL DIMM CPU2_DIMM_A2, serial 7E570006: it is 252.44 GiB 2666 MT/s 1 rank ECC",
        ),
        ("huawei-taishan-200-2020", "UNKNOWN the kernel does not say which microcode the CPUs run"),
        ("vmware-guest", "UNKNOWN the firmware does not say how fast 1 of 1 DIMMs are and run"),
        ("dell-r770-2025", "UNKNOWN the firmware lists no DIMM"),
        ("supermicro-as-4125gs-2024", "UNKNOWN disk nvme0n1, serial 7E5700000600: its health cannot be read"),
    ],
)
def test_what_is_odd_about_a_machine(name: str, finding: str, as_recorded: Callable[[str], Any]) -> None:
    told = [f"{each.verdict} {each}" for each in judging.judge(as_recorded(name))]
    assert [text for text in told if text.startswith(finding)]


@pytest.mark.parametrize("name", sorted(path.name for path in recorded.MACHINES.iterdir() if path.is_dir()))
def test_every_machine_passes_against_what_was_learned_from_it(name: str, as_recorded: Callable[[str], Any]) -> None:
    found = as_recorded(name)
    learned = learn.learn(found)
    comparison = compare.compare(found, file.parse("learned.toml", learned.encode()))
    assert (comparison.differences, comparison.status) == ((), 0)
    assert "TEST" not in learned
    assert "7E57" not in learned


@pytest.mark.parametrize(
    ("name", "fault", "finding", "difference"),
    [
        pytest.param(
            STORAGE,
            no_dimm("P2-DIMMC1"),
            "FAIL DIMM P2-DIMMC1: the slot is empty, its counterpart P1-DIMMC1 holds 16 GiB",
            ("DIMM slot P2-DIMMC1", "DIMM", "16 GiB HMA82GR7CJR8N-WM", "empty"),
            id="missing DIMM",
        ),
        pytest.param(
            GPU,
            no_dimm("B3"),
            "FAIL DIMM B3: the slot is empty, its counterpart A3 holds 64 GiB",
            ("DIMM slot B3", "DIMM", "64 GiB HMCG94AEBRA109N", "empty"),
            id="missing DIMM of a Dell",
        ),
        pytest.param(
            STORAGE,
            link("0000:3d:00.0", current_link_width="4"),
            "FAIL slot 6, PCI 0000:3d:00.0, SAS3008 PCI-Express Fusion-MPT SAS-3: the link runs at x4, the device and "
            "its port can x8: reseat the card, riser or cable",
            ("slot 6, PCI 0000:3d:00.0, SAS3008 PCI-Express Fusion-MPT SAS-3", "width", "8", "4"),
            id="narrow link",
        ),
        pytest.param(
            GPU,
            link("0000:e1:00.0", current_link_speed="8.0 GT/s PCIe"),
            "FAIL slot 2, PCI 0000:e1:00.0, GH100 [H100L 94GB]: the link runs at 8 GT/s, the device and its port can "
            "32 GT/s: reseat the card, riser or cable",
            ("slot 2, PCI 0000:e1:00.0, GH100 [H100L 94GB]", "speed", "32", "8.0"),
            id="slow link",
        ),
        pytest.param(
            STORAGE,
            smart("/dev/sdf", firmware_version="V8GNW400"),
            "FAIL disk sdf, bay Slot03, serial TEST0103: it has firmware V8GNW400, others of its model have V8GNW460",
            ("disk sdf, bay Slot03, serial TEST0103", "firmware", "V8GNW460", "V8GNW400"),
            id="wrong firmware",
        ),
        pytest.param(
            STORAGE,
            smart("/dev/sdf", model_name="ST8000NM000A-2KE101", firmware_version="SN02", serial_number="TEST9999"),
            "WARN disk sdf, bay Slot03, serial TEST9999: it is a ST8000NM000A-2KE101, "
            "all others on its controller are HGST HUS728T8TALE6L4",
            ("disk sdf, bay Slot03, serial TEST9999", "model", "HGST HUS728T8TALE6L4", "ST8000NM000A-2KE101"),
            id="swapped disk",
        ),
        pytest.param(
            RAID,
            smart("-d", "megaraid,2", "/dev/bus/0", revision="N003"),
            "FAIL drive megaraid,2, serial TEST0000000000000302: it has firmware N003, others of its model have N004",
            ("drive megaraid,2, serial TEST0000000000000302", "firmware", "N004", "N003"),
            id="wrong firmware behind a RAID controller",
        ),
    ],
)
def test_a_fault_is_found_and_the_place_named(
    name: str,
    fault: Break,
    finding: str,
    difference: tuple[str, str, str, str],
    tmp_path: Path,
    as_recorded: Callable[[str], Any],
) -> None:
    expected = file.parse("learned.toml", learn.learn(as_recorded(name)).encode())
    found = inventory(name, tmp_path / "bad", fault)
    assert finding in [f"{each.verdict} {each}" for each in judging.judge(found)]
    comparison = compare.compare(found, expected)
    assert comparison.status == 1
    assert difference in [(each.part, each.what, each.expected, each.found) for each in comparison.differences]
