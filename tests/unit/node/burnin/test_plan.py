"""The plan of a run, and the parts of the inventory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alchemy_node.burnin import hardware, plan, profile, program
from alchemy_node.burnin.hardware import Machinery
from alchemy_node.burnin.model import Run, Step
from alchemy_node.burnin.parts import Part
from alchemy_node.burnin.plan import Resources
from alchemy_node.burnin.profile import Phase
from alchemy_node.burnin.step import Disk, Planned, Setting
from alchemy_node.inventory import document
from alchemy_node.machine import Machine
from tests import recorded

MIB = 1 << 20
DOCUMENT: hardware.Json = {
    "inventory": {"hostname": "node7"},
    "alchemy": {
        "image": "1.2",
        "kernel": "6.12.1",
        "firmware": {"version": "2.1.5"},
        "system": {"serial": "CH4551"},
        "memory": {"correction": "multi-bit"},
        "board": {"product": "X", "serial": "B1"},
        "bmc": {"firmware": "3.1"},
        "dimms": [
            {"locator": "A1", "size": 32 << 30, "serial": "D1"},
            {"locator": "A2", "size": 0},
            {"size": 32 << 30},
        ],
        "cpus": [
            {"populated": True, "socket": "CPU1", "package": 0, "model": "Example 9000"},
            {"populated": False, "socket": "CPU2"},
        ],
        "disks": [
            {"name": "nvme0n1", "size": 1 << 40, "model": "N", "serial": "S1", "bay": "bay 3", "transport": "nvme"},
            {"name": "sda", "size": 1 << 30, "transport": "usb"},
            {"name": "sdb", "size": 1 << 30, "removable": True},
            {"name": "sdc", "size": 1 << 40, "rotational": True},
            {"name": "sdd"},
        ],
        "nics": [{"name": "eth0", "mac": "52:54:00:00:00:01", "link": True, "neighbours": []}],
        "pci": [{"address": "0000:01:00.0", "slot": "slot 2", "class": "020000", "vendor": "8086", "device": "1572"}],
    },
}


@pytest.mark.parametrize(
    ("kind", "name", "part"),
    [
        ("dimm", "A1", "DIMM A1, serial D1"),
        ("cpu", "0", "CPU1"),
        ("disk", "nvme0n1", "disk nvme0n1 in bay 3, serial S1"),
        ("disk", "nvme0", "disk nvme0n1 in bay 3, serial S1"),
        ("nic", "eth0", "NIC eth0, serial 52:54:00:00:00:01"),
        ("pci", "0000:01:00.0", "PCI device 0000:01:00.0 in slot 2"),
        ("board", "", "mainboard, serial B1"),
        ("bmc", "", "BMC"),
        ("disk", "sdz", "disk sdz"),
    ],
)
def test_the_parts_of_an_inventory(kind: str, name: str, part: str) -> None:
    assert str(hardware.take(DOCUMENT).parts.find(kind, name)) == part


def test_only_parts_that_are_there_are_listed_and_each_once() -> None:
    machinery = hardware.take(DOCUMENT)
    identifiers = [part.id for part in machinery.hardware]
    assert len(identifiers) == len(set(identifiers))
    assert [identifier for identifier in identifiers if identifier.startswith(("dimm", "cpu"))] == ["dimm-0", "cpu-0"]
    listed = set(identifiers)
    assert all(part.id in listed for part in machinery.parts.known.values())
    assert (machinery.name, machinery.corrects) == ("CH4551", True)
    assert [(software.name, software.version) for software in machinery.software] == [
        ("BIOS", "2.1.5"),
        ("Linux", "6.12.1"),
    ]


def test_drives_behind_a_raid_controller_are_asked_and_can_be_named() -> None:
    drive = {"type": "megaraid,0", "device": "/dev/sda", "serial": "R1"}
    alchemy = {**DOCUMENT["alchemy"], "raid": [{"address": "0000:3b:00.0", "drives": [drive, {"type": "megaraid,1"}]}]}
    machinery = hardware.take({**DOCUMENT, "alchemy": alchemy})
    assert machinery.health == {
        "nvme0n1": ("/dev/nvme0n1",),
        "sdc": ("/dev/sdc",),
        "megaraid,0 sda": ("-d", "megaraid,0", "/dev/sda"),
    }
    assert str(machinery.parts.find("disk", "megaraid,0 sda")) == "drive megaraid,0 sda, serial R1"


def test_the_disks_of_the_machine_are_tested_and_no_other() -> None:
    assert hardware.take(DOCUMENT).disks == (
        Disk("nvme0n1", "/dev/nvme0n1", 1 << 40, False, "S1", f"N {1 << 40}"),
        Disk("sdc", "/dev/sdc", 1 << 40, True, None, ""),
    )


@pytest.mark.parametrize("name", ["dell-r7625-2023", "supermicro-ssg-6029p-2020", "vmware-guest"])
def test_parts_of_recorded_machines(tmp_path: Path, name: str) -> None:
    machinery = hardware.take(document.collect(recorded.named(name, tmp_path)))
    assert len({part.id for part in machinery.hardware}) == len(machinery.hardware)
    assert {"board"} <= {part.id for part in machinery.hardware}
    assert all(part.name for part in machinery.hardware)


def test_a_physical_address_leads_to_the_dimms_of_the_inventory(tmp_path: Path) -> None:
    machine = recorded.named("quanta-t41s-2014", tmp_path)
    (tmp_path / "root/proc").mkdir(exist_ok=True)
    (tmp_path / "root/proc/iomem").write_text("00100000-3fffffffff : System RAM\n", encoding="ascii")
    parts = hardware.completed(hardware.take(document.collect(machine)), machine).parts
    names = [f"DIMM DIMM_{slot}" for slot in ("C0", "C1", "D0", "D1")]
    assert [part.name for part in (parts.find("dimm", name.split()[1]) for name in names)] == names
    located = str(parts.located(0x1000000000))
    assert located.startswith("one of 4 DIMMs of one array (DIMM DIMM_C0, serial ")
    assert all(name in located for name in names)
    assert parts.located(0x4000000000) is None


def test_dimms_of_the_same_locator_are_told_apart_by_their_bank() -> None:
    dimms = [{"locator": "A1", "bank": bank, "size": 1 << 30, "serial": bank} for bank in ("P0", "P1")]
    alchemy = {**DOCUMENT["alchemy"], "dimms": [*dimms, {"locator": "A2", "size": 0}]}
    numbered = hardware.take({**DOCUMENT, "alchemy": alchemy}).parts.numbered
    assert {number: str(part) for number, part in numbered.items()} == {
        0: "DIMM A1, serial P0",
        1: "DIMM A1 P1, serial P1",
    }


def test_a_dimm_is_found_by_the_label_of_edac() -> None:
    dimms = {("dimm", name): Part(f"DIMM {name}") for name in ("A1", "B1")}
    parts = replace(hardware.take(DOCUMENT).parts, known=dimms)
    assert str(parts.dimm("CPU0/A1")) == "DIMM A1"
    assert str(parts.dimm("B1")) == "DIMM B1"
    assert str(parts.dimm("mc0/dimm3")) == "DIMM mc0/dimm3"
    assert str(parts.dimm("")) == "a DIMM"


def works(setting: Setting) -> Planned:
    def activity() -> object:
        raise AssertionError

    return Planned((activity,), f"works {setting.seconds:g} s with {setting.memory // MIB} MiB")  # type: ignore[arg-type]


def skipped(_: Setting) -> Planned:
    return Planned(skip="nothing is there")


PLANNERS = {"cpu": works, "memory": works, "disks": works, "network": skipped}


def machinery(*disks: Disk) -> Machinery:
    return replace(hardware.take(DOCUMENT), disks=disks)


def test_a_phase_with_nothing_to_do_gives_its_time_to_the_others(tmp_path: Path) -> None:
    own = replace(
        profile.load("quick"),
        seconds=1000,
        phases=(Phase(40, ("cpu",)), Phase(50, ("network",)), Phase(10, ("memory",))),
    )
    phases = plan.plan(own, Machine(tmp_path), machinery(), Resources(64 * MIB), PLANNERS)
    assert [round(phase.seconds) for phase in phases] == [800, 0, 200]
    assert [step.id for phase in phases for step in phase.steps] == ["1-cpu", "2-network", "3-memory"]
    assert phases[1].steps[0].planned.skip == "nothing is there"


def test_when_every_step_is_skipped_nothing_takes_time(tmp_path: Path) -> None:
    own = replace(profile.load("quick"), phases=(Phase(1, ("network",)),))
    [phase] = plan.plan(own, Machine(tmp_path), machinery(), Resources(64 * MIB), PLANNERS)
    assert phase.seconds == 0


def test_steps_beside_each_other_share_the_memory(tmp_path: Path) -> None:
    own = replace(profile.load("quick"), phases=(Phase(1, ("cpu", "memory", "disks")),))
    disks = tuple(Disk(f"sd{letter}", f"/dev/sd{letter}", 1 << 40) for letter in "abcdefgh")
    taken: list[int] = []

    def takes(setting: Setting) -> Planned:
        taken.append(setting.memory)
        return works(setting)

    planners = dict.fromkeys(("cpu", "memory", "disks"), takes)
    plan.plan(own, Machine(tmp_path), machinery(*disks), Resources(4096 * MIB), planners)
    assert sum(taken[-3:]) == 4096 * MIB
    assert taken[-2] > 2048 * MIB


def test_what_a_run_writes_is_said_before_it_starts(tmp_path: Path) -> None:
    own = replace(profile.load("quick"), phases=(Phase(1, ("cpu",)),))
    found = machinery(*hardware.take(DOCUMENT).disks)
    resources = Resources(64 * MIB)
    phases = plan.plan(own, Machine(tmp_path), found, resources, PLANNERS)
    assert list(plan.describe(own, phases, found, resources)) == [
        "profile quick: 15 min, on CH4551",
        "phase 1: 15 min",
        "  cpu: works 900 s with 64 MiB",
        "no disk is written",
    ]
    *_, last = plan.describe(own, phases, found, replace(resources, writable=frozenset({"nvme0n1"})))
    assert last == "ALL DATA IS DESTROYED on 1 of 2 disks: disk nvme0n1 in bay 3, serial S1"


def test_a_command_line_of_a_user_needs_root(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert program.main([]) == 2
    assert capsys.readouterr().err == "alchemy-burnin: needs root (sudo alchemy-burnin)\n"


def interrupted(active: float, *ended: str) -> Run:
    start = datetime(2026, 11, 28, tzinfo=UTC)
    run = Run(started=start, latest=start + timedelta(seconds=active), active=active)
    for name in ended:
        run.steps[name] = Step(name, name, start, status="COMPLETE")
    return run


@pytest.mark.parametrize(
    ("active", "ended", "first", "seconds"),
    [
        (100, [], 1, [200, 400, 400]),
        (290, [], 1, [30, 400, 400]),
        (400, ["1-cpu"], 2, [300, 400]),
        (650, ["1-cpu", "2-memory"], 2, [50, 400]),
        (750, ["1-cpu", "2-memory", "2-disks"], 3, [350]),
        (999, ["1-cpu", "2-memory", "2-disks", "3-cpu"], 4, []),
    ],
)
def test_what_is_left_after_a_reset(active: float, ended: list[str], first: int, seconds: list[float]) -> None:
    own = replace(
        profile.load("quick"),
        seconds=1100,
        phases=(Phase(3, ("cpu",)), Phase(4, ("memory", "disks")), Phase(4, ("cpu",))),
    )
    left, number = program.left(own, interrupted(active, *ended))
    assert number == first
    assert list(left.durations()) == pytest.approx(seconds)


@pytest.mark.parametrize(("active", "seconds"), [(0, 100), (60, 40), (99, 10), (500, 10)])
def test_a_run_that_only_watches_watches_for_the_rest_of_its_time(active: float, seconds: float) -> None:
    left, _ = program.left(replace(profile.load("quick"), seconds=100, phases=()), interrupted(active))
    assert left.seconds == seconds
