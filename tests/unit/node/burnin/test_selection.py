"""Which disks may be written: what was asked for, and what the machine has."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from alchemy_node.burnin import hardware, plan, profile, selection
from alchemy_node.burnin.activity import Program
from alchemy_node.burnin.plan import Resources
from alchemy_node.burnin.selection import Selection, SelectionError
from alchemy_node.burnin.step import Disk
from alchemy_node.machine import Machine
from alchemy_node.processes import Output
from tests.unit.node.burnin.drive import drive, said

SIZE = 64 << 20
NAMES = ("sda", "sdb", "sdc", "sdd")
DISKS = (
    Disk("sda", "/dev/sda", SIZE, serial="BLANK1"),
    Disk("sdb", "/dev/sdb", SIZE, serial="EXT4"),
    Disk("sdc", "/dev/sdc", SIZE, serial="MOUNTED"),
    Disk("sdd", "/dev/sdd", SIZE, serial="BLANK2"),
)


def programs(argv: Sequence[str], seconds: float, limit: int) -> Output:
    assert argv[0] == "wipefs"
    assert "--no-act" in argv
    return said("0x438,,,ext4\n" if argv[-1] == "/dev/sdb" else "")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    for number, name in enumerate(NAMES):
        for file, text in (("ro", "0"), ("dev", f"8:{16 * number}")):
            path = tmp_path / f"sys/block/{name}/{file}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n", encoding="ascii")
        device = tmp_path / "dev" / name
        device.parent.mkdir(exist_ok=True)
        device.touch()
        os.truncate(device, SIZE)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text("22 1 8:32 / /mnt rw - ext4 /dev/sdc rw\n", encoding="ascii")
    return Machine(tmp_path, programs)


@pytest.mark.parametrize(
    ("asked", "writable"),
    [
        ("read", set()),
        ("blank", {"sda", "sdd"}),
        ("BLANK1", {"sda"}),
        ("EXT4", {"sdb"}),
        ("BLANK2,EXT4", {"sdb", "sdd"}),
    ],
)
def test_what_may_be_written(machine: Machine, asked: str, writable: set[str]) -> None:
    assert selection.choose(machine, DISKS, asked).writable == writable


def test_why_a_disk_is_only_read(machine: Machine) -> None:
    assert selection.choose(machine, DISKS, "blank").reasons == (
        "/dev/sdb is only read: it has a signature (0x438,,,ext4)",
        "/dev/sdc is only read: sdc is mounted",
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("MOUNTED", "MOUNTED: /dev/sdc cannot be written: sdc is mounted"),
        ("NONE", "NONE: no disk has that serial (expected read, blank, or of these: BLANK1 (/dev/sda), EXT4"),
        ("BLANK1,NONE", "NONE: no disk has that serial"),
        ("", ": no disk has that serial"),
        ("/dev/sda", "/dev/sda: no disk has that serial"),
        ("all", "all: no disk has that serial"),
        ("\x1b[2J", "?[2J: no disk has that serial"),
    ],
)
def test_a_selection_that_is_refused(machine: Machine, asked: str, message: str) -> None:
    with pytest.raises(SelectionError) as raised:
        selection.choose(machine, DISKS, asked)
    assert str(raised.value).startswith(f"--disks: {message}")


def test_a_serial_that_two_disks_have_is_refused(machine: Machine) -> None:
    twins = (DISKS[0], Disk("sdd", "/dev/sdd", SIZE, serial="BLANK1"))
    with pytest.raises(SelectionError, match="2 disks have that serial"):
        selection.choose(machine, twins, "BLANK1")


def test_a_disk_that_this_run_has_written_is_written_again(machine: Machine) -> None:
    (machine.root / "dev/sda").write_bytes(b"written by the run" * 4096)
    assert "sda" not in selection.choose(machine, DISKS, "blank").writable
    assert "sda" in selection.choose(machine, DISKS, "blank", frozenset({"BLANK1"})).writable
    # but not when somebody uses it by now
    assert "sdc" not in selection.choose(machine, DISKS, "blank", frozenset({"MOUNTED"})).writable


def document() -> hardware.Json:
    disks = [{"name": disk.name, "size": SIZE, "serial": disk.serial, "model": "X"} for disk in DISKS]
    return {"inventory": {"hostname": "node"}, "alchemy": {"disks": disks}}


@pytest.mark.parametrize(("asked", "name"), [*itertools.product(["read", "blank", "BLANK1"], profile.BUILT_IN)])
def test_no_program_of_any_profile_writes_a_disk_that_was_not_chosen(machine: Machine, asked: str, name: str) -> None:
    machinery = hardware.take(document())
    writable = selection.choose(machine, machinery.disks, asked).writable
    (machine.root / "sys/devices/system/cpu").mkdir(parents=True)
    (machine.root / "sys/devices/system/cpu/online").write_text("0-1\n", encoding="ascii")
    phases = plan.plan(profile.load(name), machine, machinery, Resources(1 << 30, writable))
    asked_for: list[Program] = []
    for phase in phases:
        for step in phase.steps:
            for activity in step.planned.activities:
                asked_for += drive(activity(), lambda _: said("", 1))[1]
    named = {word for program in asked_for for word in program.argv if "/dev/" in word}
    assert {f"--filename=/dev/{disk}" for disk in NAMES} <= named
    for program in asked_for:
        touched = [disk for disk in NAMES if any(disk in word for word in program.argv)]
        if program.argv[0] == "fio" and touched[0] not in writable:
            assert "--readonly" in program.argv
            assert not {"--rw=write", "--rw=randwrite", "--verify=crc32c"} & set(program.argv)
        elif touched and program.argv[0] != "fio":
            assert program.argv[0] == "smartctl"
    written = {word.removeprefix("--filename=/dev/") for program in asked_for if "--rw=write" in program.argv
               for word in program.argv if word.startswith("--filename=")}  # fmt: skip
    assert written == writable


@pytest.mark.parametrize(
    ("writable", "terminal", "answer", "agreed"),
    [
        ({"sda", "sdb"}, True, "2", True),
        ({"sda", "sdb"}, True, " 2 ", True),
        ({"sda", "sdb"}, True, "yes", False),
        ({"sda", "sdb"}, True, "", False),
        ({"sda", "sdb"}, True, None, False),  # Ctrl-D
        ({"sda", "sdb"}, False, None, True),  # a script, or the boot
        (set(), True, None, True),
    ],
)
def test_a_person_is_asked_before_disks_are_written(
    writable: set[str], terminal: bool, answer: str | None, agreed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(question: str) -> str:
        assert question == f"Type the number of disks that lose all data ({len(writable)}) to begin: "
        if answer is None:
            raise EOFError
        return answer

    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: terminal)
    monkeypatch.setattr("builtins.input", ask)
    assert selection.agreed(Selection(frozenset(writable))) is agreed
