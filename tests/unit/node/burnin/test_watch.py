"""The evidence over time: each finding once, and what could not be watched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from alchemy_node.burnin import hardware, kernel_lines, machine_check, profile
from alchemy_node.burnin.activity import Finding, Kind
from alchemy_node.burnin.parts import Part, Parts
from alchemy_node.burnin.sample import Key, Sample
from alchemy_node.burnin.watch import Watch, belongs
from alchemy_node.machine import Machine
from tests.unit.node import files
from tests.unit.node.burnin.test_plan import DOCUMENT

CE = Key("dimm", "A1", "corrected")
MCE = "mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 5: 8c0000400000009f"
UNNAMED = "mce: [Hardware Error]: Machine check events logged"
STALL = "INFO: task fio:99 blocked for more than 120 seconds."


def watch(**limits: float) -> Watch:
    return Watch(Parts({("dimm", "A1"): Part("DIMM A1")}), {**profile.LIMITS, **limits})


def test_a_finding_is_said_once_and_again_when_it_gets_much_worse() -> None:
    there = watch()
    said = [len(there.look(Sample({CE: count}), 1)) for count in (0, 1, 1, 2, 3, 4, 5, 7, 8, 100, 100)]
    assert said == [0, 1, 0, 0, 0, 1, 0, 0, 1, 1, 0]


def test_the_first_sample_is_what_is_compared_with() -> None:
    there = watch()
    assert there.look(Sample({CE: 50}), 0) == []
    [finding] = there.look(Sample({CE: 53}), 0.5)
    assert finding.message == "replace DIMM A1: 3 corrected memory errors in 30 min"


def test_lines_beyond_their_limit_are_findings() -> None:
    there = watch(kernel_stalls=2)
    assert [len(there.hear([STALL])) for _ in range(4)] == [0, 0, 1, 0]
    assert [finding.verdict for finding in watch().hear([STALL])] == ["task-hung"]


def test_an_error_without_a_part_waits_for_a_better_source() -> None:
    there = watch()
    assert there.hear([UNNAMED]) == []
    assert [finding.verdict for finding in there.hear([MCE])] == ["dimm-ce"]
    assert there.look(Sample(), 1) == []
    alone = watch()
    assert alone.hear([UNNAMED]) == []
    assert [finding.verdict for finding in alone.look(Sample(), 1)] == ["hardware-error"]
    assert alone.look(Sample(), 2) == []


def test_heat_names_the_hottest_sensor() -> None:
    there = watch()
    key = Key("cpu", "0", "throttled")
    heat = {Key("sensor", "coretemp", f"temperature Core {core} C"): 90.0 + core for core in range(3)}
    there.look(Sample({key: 0}, readings=heat), 0)
    [finding] = there.look(Sample({key: 1}, readings=heat), 1)
    assert finding.message.endswith("; the hottest sensor is coretemp Core 2 at 92 C")


@pytest.mark.parametrize(
    ("corrects", "missing", "kinds"),
    [
        (True, {"edac": "no driver"}, ["UNKNOWN"]),
        (False, {"edac": "no driver"}, []),
        (True, {}, []),
        (False, {"smart sda": "timed out after 60 s", "bmc": "not installed", "aer": "none"}, ["UNKNOWN", "NOTE"]),
    ],
)
def test_what_could_not_be_watched(corrects: bool, missing: dict[str, str], kinds: list[str]) -> None:
    there = Watch(Parts(), profile.LIMITS, corrects)
    there.look(Sample(missing=missing), 0)
    assert [finding.kind.name for finding in there.gaps()] == kinds


@pytest.mark.parametrize(
    ("verdict", "step"),
    [
        ("dimm-ce", "kernel"), ("disk-pending", "kernel"), ("nic-errors", "kernel"), ("vanished", "kernel"),
        ("pcie-fatal", "pcie"), ("link-degraded", "pcie"), ("link-changed", "pcie"), ("link-flap", "kernel"),
        ("bmc-event", "bmc"), ("sensor-critical", "bmc"), ("sel-full", "bmc"),
    ],
)  # fmt: skip
def test_the_step_that_a_finding_belongs_to(verdict: str, step: str) -> None:
    assert belongs(Finding(Kind.FAIL, verdict, "")) == step


def test_a_port_of_ata_leads_to_its_disk(tmp_path: Path) -> None:
    place = tmp_path / "sys/devices/pci0000:00/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0/block/sdc"
    place.mkdir(parents=True)
    (tmp_path / "sys/block").mkdir()
    (tmp_path / "sys/block/sdc").symlink_to(os.path.relpath(place, tmp_path / "sys/block"))
    machinery = hardware.completed(hardware.take(DOCUMENT), files.machine(tmp_path))
    [finding] = Watch(machinery.parts, profile.LIMITS).hear(["ata3: hard resetting link"])
    assert finding.part == machinery.parts.find("disk", "sdc")
    assert finding.part.id == "disk-sdc"


@pytest.mark.parametrize(("old", "seconds", "new"), [("300", 60, "60"), ("60", 60, "61"), ("0", 1, "1")])
def test_machine_checks_are_looked_for_more_often(tmp_path: Path, old: str, seconds: int, new: str) -> None:
    file = tmp_path / "sys/devices/system/machinecheck/machinecheck0/check_interval"
    file.parent.mkdir(parents=True)
    file.write_text(f"{old}\n", encoding="ascii")
    assert machine_check.poll(Machine(tmp_path), seconds) == int(old)
    assert file.read_text(encoding="ascii") == new


def test_a_machine_without_machine_checks(tmp_path: Path) -> None:
    assert machine_check.poll(Machine(tmp_path), 60) is None


def test_the_kernel_is_followed_from_now_on(tmp_path: Path) -> None:
    instances = tmp_path / "instances"
    instance = instances / "alchemy-burnin"
    for event in ("mce/mce_record", "ras/mc_event", "ras/aer_event"):
        (instance / "events" / event).mkdir(parents=True)
        (instance / "events" / event / "enable").write_text("0", encoding="ascii")
    os.mkfifo(instance / "trace_pipe")
    read = os.open(instance / "trace_pipe", os.O_RDWR | os.O_NONBLOCK)
    log = tmp_path / "kmsg"
    log.write_text("6,1,1,-;before\n", encoding="ascii")
    lines = kernel_lines.follow(log, tmp_path)
    assert lines.missing is None
    assert (instance / "events/ras/mc_event/enable").read_text(encoding="ascii") == "1"
    os.write(read, b"<idle>-0 [000] d.h1 1.0: mce_record: CPU: 0, MCGc/s: 0/0, MC5: 8c00")
    assert lines._traces() == []
    os.write(read, b"00400000009f, IPID: 0\nnext")
    [line] = lines._traces()
    assert [finding.verdict for finding in watch().hear([line])] == ["dimm-ce"]
    lines.close()
    os.close(read)


def test_a_kernel_that_says_nothing(tmp_path: Path) -> None:
    lines = kernel_lines.follow(tmp_path / "absent", tmp_path / "absent")
    assert lines.read() == []
    assert lines.missing == "the kernel's log cannot be read"
    lines.close()
