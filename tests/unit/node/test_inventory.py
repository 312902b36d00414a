"""The whole inventory, on recorded machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alchemy_node.inventory import document
from tests import recorded
from tests.unit.node import documents

NAMES = sorted(path.name for path in recorded.MACHINES.iterdir() if path.is_dir())


def inventory(name: str, place: Path) -> Any:
    return document.collect(recorded.named(name, place))


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_machine_fits_the_schema(name: str, tmp_path: Path) -> None:
    documents.check(inventory(name, tmp_path / "machine"))


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        # cpus, populated ones, DIMM slots, DIMMs, PCI functions, GPUs, NICs, disks, RAID drives
        ("supermicro-ssg-6029p-2020", (2, 2, 16, 12, 20, 0, 4, 16, 0)),
        ("dell-r640-2018", (2, 2, 24, 8, 7, 0, 2, 1, 4)),
        ("dell-r7625-2023", (2, 2, 24, 8, 15, 1, 4, 2, 0)),
        ("hp-dl360p-gen8-2013", (2, 2, 24, 16, 12, 0, 2, 1, 2)),
        ("supermicro-as-4125gs-2024", (2, 2, 0, 0, 27, 2, 4, 2, 0)),
        ("hpe-dl380-gen10-one-dimm-2023", (2, 1, 24, 1, 0, 0, 0, 0, 0)),
        ("hp-dl180-2009", (2, 1, 12, 2, 0, 0, 0, 0, 0)),
        ("vmware-guest", (8, 1, 15, 1, 0, 0, 0, 0, 0)),
    ],
)
def test_parts_are_counted(name: str, counts: tuple[int, ...], tmp_path: Path) -> None:
    alchemy = inventory(name, tmp_path / "machine")["alchemy"]
    assert counts == (
        len(alchemy["cpus"]),
        sum(cpu["populated"] for cpu in alchemy["cpus"]),
        len(alchemy["dimms"]),
        sum(dimm["size"] > 0 for dimm in alchemy["dimms"]),
        *(len(alchemy[subject]) for subject in ("pci", "gpus", "nics", "disks")),
        sum(len(controller["drives"]) for controller in alchemy["raid"]),
    )


def test_a_machine_of_which_nothing_is_known(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    found = document.collect(recorded.machine(tmp_path))
    documents.check(found)
    assert {entry["subject"] for entry in found["alchemy"]["unknown"]} >= {
        "dmi",
        "cpus",
        "memory",
        "pci",
        "kernel_errors",
    }
    assert found["inventory"]["memory"] == {"total": None, "physical_mb": None}


def test_each_source_that_is_absent_is_listed_with_its_reason(tmp_path: Path) -> None:
    alchemy = inventory("supermicro-as-4125gs-2024", tmp_path / "machine")["alchemy"]
    assert {
        "subject": "disks nvme0n1 health",
        "source": "smartctl -x -j /dev/nvme0",
        "reason": "not installed",
    } in alchemy["unknown"]
    assert "health" not in alchemy["disks"][0]


def test_ironic_takes_what_it_validates(tmp_path: Path) -> None:
    found = inventory("supermicro-ssg-6029p-2020", tmp_path / "machine")["inventory"]
    assert found["bmc_address"] == "192.0.2.3"
    assert found["memory"] == {"total": 202394746880, "physical_mb": 196608}
    assert found["cpu"]["count"] == 48
    assert found["cpu"]["socket_count"] == 2
    assert [port["name"] for port in found["interfaces"]] == ["eth0", "eth1", "eth2", "eth3"]
    assert found["system_vendor"]["product_name"] == "SSG-6029P-E1CR12L-PH004"
