"""The tests of disks: which may be written, what is run, and what fio's output proves."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from alchemy_node.burnin import blank
from alchemy_node.burnin.activity import OUT_OF_MEMORY, Program
from alchemy_node.burnin.parts import Part, Parts
from alchemy_node.burnin.profile import Options
from alchemy_node.burnin.step import Disk, Setting
from alchemy_node.burnin.steps import disks
from alchemy_node.machine import Machine
from alchemy_node.processes import Output
from tests.unit.node.burnin.drive import drive, said

OUTPUTS = Path(__file__).parent / "outputs"
READ = (OUTPUTS / "fio-read.json").read_text(encoding="utf-8")
WRITE = (OUTPUTS / "fio-write.json").read_text(encoding="utf-8")
ERROR = (OUTPUTS / "fio-verify-error.json").read_text(encoding="utf-8")

MIB = 1 << 20
SIZE = 64 * MIB
DISK = Disk("sda", "/dev/sda", SIZE, serial="S1")
PART = Part("disk sda", "S1", "disk-sda")


def with_error(text: str, code: int) -> str:
    return text.replace('"error": 0', f'"error": {code}').replace('"first_error": 0', f'"first_error": {code}')


@pytest.mark.parametrize(
    ("output", "direction", "kind", "verdict"),
    [
        (said(READ), "read", "PASS", "disk-read"),
        (said("fio: note\n" + READ), "read", "PASS", "disk-read"),
        (said(WRITE), "write", "PASS", "disk-write"),
        # fio ends with 0 though what it read was wrong
        (said(ERROR), "read", "FAIL", "disk-miscompare"),
        (said(with_error(READ, 5), 1), "read", "FAIL", "disk-error"),
        (said(with_error(READ, 5)), "read", "FAIL", "disk-error"),
        (said(READ.replace('"total_err": 0', '"total_err": 3').replace('"first_error": 0', '"first_error": 121')),
         "read", "FAIL", "disk-error"),
        # of fio's own doing: no such file, no permission, busy
        (said(with_error(READ, 2), 1), "read", "ERROR", "no-verdict"),
        (said(with_error(READ, 16), 1), "read", "ERROR", "no-verdict"),
        # nothing was read
        (said(WRITE), "read", "ERROR", "no-verdict"),
        (said(READ, 1), "read", "ERROR", "no-verdict"),
        (said(READ[:-200]), "read", "ERROR", "no-verdict"),
        (said("{}\n"), "read", "ERROR", "no-verdict"),
        (said('{\n"jobs": []}'), "read", "ERROR", "no-verdict"),
        (said('{\n"jobs": [{"error": "0", "read": {}, "write": {}}]}'), "read", "ERROR", "no-verdict"),
        (said('{\n"jobs": [{"error": 0, "read": {"io_bytes": "9"}, "write": {}}]}'), "read", "ERROR", "no-verdict"),
        (said("{\n" + "[" * 100_000), "read", "ERROR", "no-verdict"),
        (said(""), "read", "ERROR", "no-verdict"),
        (Output(None, READ, "", "killed by signal 9"), "read", "ERROR", "no-verdict"),
        (Output(None, "", "", "timed out after 90 s"), "read", "ERROR", "no-verdict"),
        (Output(problem="not installed"), "read", "ERROR", "no-verdict"),
        (Output(None, "", "", OUT_OF_MEMORY), "read", "ERROR", "out-of-memory"),
    ],
)  # fmt: skip
def test_what_fio_proves(output: Output, direction: str, kind: str, verdict: str) -> None:
    [finding] = disks.judge("reading /dev/sda", PART, output, direction, None).findings
    assert (finding.kind.name, finding.verdict, finding.part) == (kind, verdict, PART)


def test_a_miscompare_names_the_disk() -> None:
    [finding] = disks.judge(
        "verifying /dev/sda", PART, said(ERROR, 0, "crc32c: verify failed\n"), "read", None
    ).findings
    assert finding.message == (
        "replace disk sda, serial S1: verifying /dev/sda gave 1 errors, the first: other data than was written"
        " (crc32c: verify failed)"
    )


def test_the_speed_of_a_disk_is_measured() -> None:
    [measurement] = disks.judge("reading /dev/sda", PART, said(READ), "read", "model X").measurements
    assert (measurement.name, measurement.unit, measurement.group) == ("reading speed", "MiB/s", "model X")
    assert isinstance(measurement.value, float)
    assert measurement.value > 0


@pytest.mark.parametrize(
    ("seconds", "rotational", "write", "size"),
    [
        (100, False, False, 40_000),
        (100, True, False, 12_000),
        (100, True, True, 6_000),
        (1, False, False, 400),
        (0.01, False, False, 16),
        (1e9, True, True, 1 << 20),
    ],
)
def test_how_much_of_a_disk_is_tested(seconds: float, rotational: bool, write: bool, size: int) -> None:
    assert disks.coverage(Disk("sda", "/dev/sda", 1 << 40, rotational), seconds, write=write) == size * MIB


def machine(root: Path, files: Mapping[str, str] | None = None, content: bytes = b"") -> Machine:
    for name, text in {
        "sys/block/sda/ro": "0\n",
        "sys/block/sda/dev": "8:0\n",
        "proc/self/mountinfo": "22 1 0:21 / / rw - tmpfs tmpfs rw\n",
        "proc/swaps": "Filename Type Size Used Priority\n",
        **(files or {}),
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    device = root / "dev/sda"
    device.parent.mkdir(exist_ok=True)
    with device.open("wb") as file:
        file.write(content)
        file.truncate(SIZE)
    return Machine(root)


USES = [
    ({"sys/block/sda/ro": "1\n"}, "it is read-only"),
    ({"sys/block/sda/ro": ""}, "it is read-only"),
    ({"sys/block/sda/holders/dm-0/dev": "253:0\n"}, "dm-0 is built on sda"),
    ({"sys/block/sda/holders/md0/dev": "9:0\n"}, "md0 is built on sda"),
    ({"sys/block/sda/dev": ""}, "the kernel does not say its number"),
    ({"proc/self/mountinfo": "22 1 8:0 / /mnt rw - ext4 /dev/sda rw\n"}, "sda is mounted"),
    ({"proc/swaps": "Filename Type\n/dev/sda partition 1 0 -2\n"}, "sda is swap"),
    ({"proc/mdstat": "Personalities : [raid1]\nmd0 : active raid1 sdb[1] sda[0]\n"}, "sda is part of a RAID"),
    (
        {"sys/block/sda/sda1/partition": "1\n", "sys/block/sda/sda1/dev": "8:1\n",
         "proc/self/mountinfo": "22 1 8:1 / /boot rw - ext4 /dev/sda1 rw\n"},
        "sda1 is mounted",
    ),
    (
        {"sys/block/sda/sda1/partition": "1\n", "sys/block/sda/sda1/dev": "8:1\n",
         "sys/block/sda/sda1/holders/dm-3/dev": "253:3\n"},
        "dm-3 is built on sda1",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("files", "use"), USES)
def test_a_disk_that_is_in_use_is_never_written(tmp_path: Path, files: dict[str, str], use: str) -> None:
    there = machine(tmp_path, files)
    assert blank.in_use(there, DISK) == use
    outcome, programs, _ = drive(disks.write(there, DISK, PART, SIZE, 60), lambda _: said(WRITE))
    assert programs == []
    assert [(finding.kind.name, finding.verdict) for finding in outcome.findings] == [("ERROR", "disk-in-use")]


def test_a_disk_that_is_gone_or_whose_mounts_cannot_be_read_counts_as_used(tmp_path: Path) -> None:
    there = machine(tmp_path)
    assert blank.in_use(there, DISK) is None
    (tmp_path / "proc/self/mountinfo").unlink()
    assert blank.in_use(there, DISK) == "the mounts cannot be read"
    assert blank.in_use(there, Disk("sdz", "/dev/sdz", SIZE)) == "the kernel no longer has it"


def content(there: Machine, output: Output) -> str | None:
    found, _, _ = drive(blank.content(there, DISK), lambda _: output)
    return found


HEADER = "# offset,uuid,label,type\n"


@pytest.mark.parametrize("fill", [b"", b"\xff" * SIZE])
def test_a_blank_disk(tmp_path: Path, fill: bytes) -> None:
    assert content(machine(tmp_path, content=fill), said("")) is None
    assert content(machine(tmp_path, content=fill), said(HEADER)) is None


@pytest.mark.parametrize(
    ("output", "found"),
    [
        (said(HEADER + "0x438,11111111-2222,,ext4\n"), "it has a signature (0x438,11111111-2222,,ext4)"),
        (said("garbled"), "it has a signature (garbled)"),
        (said("", 1), "wipefs cannot tell what is on it (exit status 1)"),
        (Output(problem="not installed"), "wipefs cannot tell what is on it (not installed)"),
        (Output(problem="timed out after 30 s"), "wipefs cannot tell what is on it (timed out after 30 s)"),
    ],
)
def test_a_disk_with_a_signature(tmp_path: Path, output: Output, found: str) -> None:
    assert content(machine(tmp_path), output) == found


@pytest.mark.parametrize("place", [0, 512, 65535, SIZE // 2, SIZE - 1])
@pytest.mark.parametrize("byte", [b"x", b"\xff"])
def test_data_without_a_signature_is_found(tmp_path: Path, place: int, byte: bytes) -> None:
    there = machine(tmp_path)
    with (tmp_path / "dev/sda").open("r+b") as file:
        # in the middle of a disk of this size, one place in a MiB is looked at
        file.seek(place)
        file.write(byte * min(MIB + 65536, SIZE - place))
    found = content(there, said(HEADER))
    assert found is not None
    assert found.startswith("it has data at byte ")


def test_a_disk_that_cannot_be_read_is_not_blank(tmp_path: Path) -> None:
    there = machine(tmp_path)
    (tmp_path / "dev/sda").write_bytes(b"")
    assert content(there, said(HEADER)) == "it is smaller than it says"
    (tmp_path / "dev/sda").unlink()
    assert content(there, said(HEADER)) == "it cannot be read (No such file or directory)"


def test_partitions_without_a_signature_are_content(tmp_path: Path) -> None:
    there = machine(tmp_path, {"sys/block/sda/sda1/partition": "1\n"})
    assert content(there, said(HEADER)) == "it has partitions"


def programs_of(setting: Setting) -> list[Program]:
    def answer(program: Program) -> Output:
        if program.argv[0] != "fio":
            return said("{}")
        return said(WRITE if "--do_verify=0" in program.argv else READ)

    ran = [drive(activity(), answer)[1] for activity in disks.plan(setting).activities]
    return [program for programs in ran for program in programs]


@pytest.mark.parametrize(("seconds", "self_test"), [*itertools.product([1, 60, 86400], ["none", "short", "long"])])
def test_by_default_no_program_can_write(tmp_path: Path, seconds: float, self_test: str) -> None:
    there = machine(tmp_path)
    setting = Setting(there, Parts(), seconds, 1 << 30, (DISK,), options=Options(self_test=self_test))
    for program in programs_of(setting):
        if program.argv[0] == "fio":
            assert "--readonly" in program.argv
            assert any(word in program.argv for word in ("--rw=read", "--rw=randread"))
            assert not any(
                re.search("write|trim|verify=", word.removeprefix("--verify_fatal")) for word in program.argv
            )
        else:
            assert program.argv[0] == "smartctl"


def test_a_disk_that_may_be_written_is_written_and_verified_and_no_other(tmp_path: Path) -> None:
    other = Disk("sdb", "/dev/sdb", SIZE)
    setting = Setting(
        machine(tmp_path), Parts({("disk", "sda"): PART}), 60, 1 << 30, (DISK, other), frozenset({"sda"}),
        Options(self_test="none"),
    )  # fmt: skip
    assert disks.plan(setting).about == "WRITES all of /dev/sda (disk sda, serial S1); reads all of /dev/sdb"
    write, verify, read = programs_of(setting)
    assert {"--filename=/dev/sda", "--rw=write", "--do_verify=0"} <= set(write.argv)
    wrote = json.loads(WRITE)["jobs"][0]["write"]["io_bytes"]
    assert {"--filename=/dev/sda", "--verify_only=1", f"--size={wrote}"} <= set(verify.argv)
    assert {"--filename=/dev/sdb", "--readonly"} <= set(read.argv)


def test_less_verified_than_written_proves_nothing(tmp_path: Path) -> None:
    def answer(program: Program) -> Output:
        return said(WRITE if "--do_verify=0" in program.argv else short)

    document = json.loads(READ)
    document["jobs"][0]["read"]["io_bytes"] = 4096
    short = json.dumps(document, indent=1)
    outcome, _, _ = drive(disks.write(machine(tmp_path), DISK, PART, SIZE, 60), answer)
    assert [finding.kind.name for finding in outcome.findings] == ["ERROR"]


def test_a_miscompare_after_writing_is_a_failure(tmp_path: Path) -> None:
    def answer(program: Program) -> Output:
        return said(WRITE if "--do_verify=0" in program.argv else ERROR)

    outcome, _, _ = drive(disks.write(machine(tmp_path), DISK, PART, SIZE, 60), answer)
    assert [finding.verdict for finding in outcome.findings] == ["disk-miscompare"]


def test_a_machine_without_disks_is_skipped(tmp_path: Path) -> None:
    assert disks.plan(Setting(Machine(tmp_path), Parts(), 60, 1 << 30)).skip == "there are no disks"
