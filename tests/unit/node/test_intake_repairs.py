"""Repairs: what each changes, that a second run changes nothing, and that Collins then takes the pair."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from alchemy_node.intake import bounded_xml, facts, lldp_repairs, lshw_repairs, pair
from alchemy_node.intake.facts import Facts
from alchemy_node.intake.pair import Document
from alchemy_node.inventory import document
from tests import collins_parsers, recorded
from tests.collins_parsers import RefusedError, Settings
from tests.unit.node import intake_xml as xml

FACTS = Facts(
    capacities={"02:00:00:00:00:02": 25_000_000_000},
    speeds={"02:00:00:00:00:02": 10_000_000_000, "02:00:00:00:00:03": 10_000_000_000},
    disks={"nvme0n1": 1048576, "sda": 4096},
    cores=6,
    threads=12,
)
COMPLETE = Document(xml.lldp(xml.neighbor()))

# nodes -> what the repairs say, and what Collins then records
LSHW = {
    "the capacity of a 25G NIC": (
        [xml.FAST_NIC],
        ["added <capacity>25000000000</capacity>"],
        {"nics": [(25_000_000_000, "02:00:00:00:00:02")]},
    ),
    "a virtio NIC, which is there twice": (
        [xml.VIRTIO_NIC],
        ["left out the PCI function", "added <size>10000000000</size>"],
        {"nics": [(10_000_000_000, "02:00:00:00:00:03")]},
    ),
    "the BMC's Ethernet over USB": (
        [xml.BMC_NIC, xml.NIC],
        ["left out"],
        {"nics": [(1_000_000_000, "02:00:00:00:00:01")]},
    ),
    "phantom disks of an NVMe drive": ([xml.NVME], ["left out", "left out"], {"disks": [1048576]}),
    "two paths to an NVMe drive": (
        [xml.MULTIPATH],
        ["named it /dev/nvme0n1, with its size", "left out"],
        {"disks": [1048576]},
    ),
    "the only DIMM": ([xml.MEMORY], ["renamed id=bank to bank:0"], {"memory": [(0, 1 << 30)]}),
    "a BIOS without core counts": ([xml.OLD_CPU], ["added cores=6", "added threads=12"], {"cpus": [(6, 12)]}),
    "nothing to repair": ([xml.CPU, xml.NIC], [], {"cpus": [(4, 8)]}),
}


@pytest.mark.parametrize("case", LSHW.values(), ids=LSHW)
def test_lshw(case: tuple[list[str], list[str], dict[str, object]]) -> None:
    nodes, changes, expected = case
    root, done = lshw_repairs.repair(bounded_xml.parse(xml.lshw(*nodes)), FACTS)
    assert [repair.change for repair in done] == ["left out", *changes]
    assert lshw_repairs.repair(root, FACTS) == (root, [])
    hardware = collins_parsers.lshw(bounded_xml.write(root), Settings())
    assert {name: getattr(hardware, name) for name in expected} == expected


@pytest.mark.parametrize("nodes", [[xml.FAST_NIC], [xml.OLD_CPU], [xml.NVME], [xml.MULTIPATH]])
def test_nothing_is_made_up_without_facts(nodes: list[str]) -> None:
    root, _ = lshw_repairs.unwrap_list(bounded_xml.parse(xml.lshw(*nodes)))
    before = bounded_xml.write(root)
    assert lshw_repairs.repair(root, Facts()) == (root, [])
    assert bounded_xml.write(root) == before


# neighbours -> what the repairs say, and the ports and VLANs that Collins then records; None: it takes none
LLDP = {
    "complete": ([xml.neighbor()], [], [("eth0", "106=LOGGING ")]),
    "a PVID without a name": ([xml.neighbor(more=xml.PVID)], ["left out VLAN 100"], [("eth0", "")]),
    "a PVID beside a named VLAN": (
        [xml.neighbor(more=xml.PVID + xml.VLAN)],
        ["left out VLAN 100"],
        [("eth0", "106=LOGGING ")],
    ),
    "a MED policy": ([xml.neighbor(more=xml.MED)], ["left out VLAN 300"], [("eth0", "")]),
    "an invalid VLAN number": (
        [xml.neighbor(more=xml.VLAN.replace("106", "trunk"))],
        ["left out VLAN trunk"],
        [("eth0", "")],
    ),
    "minimal TLVs beside a complete neighbour": (
        [xml.neighbor(chassis=xml.CHASSIS_ID, port=xml.PORT_ID, name="eth1"), xml.neighbor()],
        ["left out a neighbour"],
        [("eth0", "106=LOGGING ")],
    ),
    "minimal TLVs alone": ([xml.neighbor(chassis=xml.CHASSIS_ID, port=xml.PORT_ID)], [], None),
    "none": ([], [], None),
}


@pytest.mark.parametrize("case", LLDP.values(), ids=LLDP)
def test_lldp(case: tuple[list[str], list[str], list[tuple[str, str]] | None]) -> None:
    neighbors, changes, expected = case
    root = bounded_xml.parse(xml.lldp(*neighbors))
    assert [repair.change for repair in lldp_repairs.repair(root)] == changes
    assert lldp_repairs.repair(root) == []
    text = bounded_xml.write(root)
    if expected is None:
        with pytest.raises(RefusedError):
            collins_parsers.lldp(text, Settings())
    else:
        assert [(one["name"], one["vlans"]) for one in collins_parsers.lldp(text, Settings())] == expected


def test_the_number_of_a_nameless_vlan_is_kept() -> None:
    text = xml.lldp(xml.neighbor(more=xml.PVID), xml.neighbor(name="eth1", more=xml.VLAN.replace("106", "4095")))
    made = pair.make(Document(xml.lshw(xml.CPU)), Document(text), FACTS)
    assert made.pvids == {"eth0": 100}


def test_the_serial_number_of_the_machine_is_recorded() -> None:
    wrapped = xml.lshw(xml.CPU)
    assert collins_parsers.lshw(wrapped, Settings()).serial == ""
    assert collins_parsers.lshw(pair.make(Document(wrapped), COMPLETE, FACTS).lshw, Settings()).serial == "AB12"


def test_a_document_without_repairs_stays_byte_for_byte() -> None:
    text = xml.lshw(xml.CPU, xml.NIC).replace("<list>", "").replace("</list>", "")
    made = pair.make(Document(text), COMPLETE, FACTS)
    assert (made.lshw, made.lldp) == (text, COMPLETE.text)
    assert (made.repairs, made.refusals) == ((), ())


def test_control_characters_are_left_out() -> None:
    made = pair.make(Document(xml.lshw(xml.NIC.replace("82574L", "825\x1b[2J74L\x00"))), COMPLETE, FACTS)
    assert [repair.change for repair in made.repairs] == ["left out 2 characters", "left out"]
    assert made.refusals == ()
    assert collins_parsers.lshw(made.lshw, Settings()).nics


@pytest.mark.parametrize(
    ("lshw", "problem"),
    [
        (Document("", "not installed"), "`lshw -quiet -xml`: not installed"),
        (Document("<list>", "timed out after 120 s"), "`lshw -quiet -xml`: timed out after 120 s"),
        (Document(" \n"), "`lshw -quiet -xml`: no output"),
        (Document("<list><node"), "not well-formed XML (unclosed token: line 1, column 6)"),
        (Document("x" * (1 << 20) + "y"), "too large (expected at most 1048576 bytes, got 1048577)"),
    ],
)
def test_a_program_that_fails_is_a_refusal(lshw: Document, problem: str) -> None:
    made = pair.make(lshw, COMPLETE, FACTS)
    assert [refusal.problem for refusal in made.refusals] == [problem]
    assert made.repairs == ()


def test_the_files(tmp_path: Path) -> None:
    original = xml.lshw(xml.MEMORY)
    made = pair.make(Document(original), Document(xml.lldp()), FACTS)
    pair.write(made, tmp_path / "new")
    pair.write(made, tmp_path / "new")
    found = {path.name: path for path in (tmp_path / "new").iterdir()}
    assert sorted(found) == ["lldp.original.xml", "lldp.xml", "lshw.original.xml", "lshw.xml", "repairs.json"]
    assert found["lshw.original.xml"].read_text(encoding="utf-8") == original
    assert 'id="bank:0"' in found["lshw.xml"].read_text(encoding="utf-8")
    report = json.loads(found["repairs.json"].read_text(encoding="utf-8"))
    assert [repair["change"] for repair in report["repairs"]] == ["left out", "renamed id=bank to bank:0"]
    assert [refusal["source"] for refusal in report["refusals"]] == ["LldpParser.scala:88"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in found.values()} == {0o600}


def _document(*cpus: tuple[int, int]) -> dict[str, Any]:
    return {
        "alchemy": {
            "cpus": [
                *({"populated": True, "kernel_cores": cores, "kernel_threads": threads} for cores, threads in cpus),
                {"populated": False},
            ],
            "nics": [
                {"name": "eth0", "mac": "02:00:00:00:00:0a", "max_mbps": 25000, "speed_mbps": 10000},
                {"name": "eth1", "mac": "02:00:00:00:00:0b"},
                {"name": "eth2", "max_mbps": 1000},
            ],
            "disks": [{"name": "nvme0n1", "size": 1 << 30}, {"name": "sdb"}],
        }
    }


def test_the_facts_are_those_of_the_document() -> None:
    assert facts.of(_document((2, 4), (2, 4))) == Facts(
        capacities={"02:00:00:00:00:0a": 25_000_000_000},
        speeds={"02:00:00:00:00:0a": 10_000_000_000},
        disks={"nvme0n1": 1 << 30},
        cores=2,
        threads=4,
    )


def test_sockets_that_differ_have_no_count() -> None:
    found = facts.of(_document((2, 4), (1, 2)))
    assert (found.cores, found.threads) == (None, None)


def test_the_facts_of_a_recorded_machine(tmp_path: Path) -> None:
    found = facts.of(document.collect(recorded.named("dell-r7625-2023", tmp_path / "machine")))
    assert found.capacities["02:00:00:00:0c:30"] == 25_000_000_000
    assert found.disks["nvme0n1"] == 1920383410176
