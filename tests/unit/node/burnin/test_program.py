"""alchemy-burnin from its command line to its exit status, on a machine in a folder, with tools that are scripts."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from alchemy_node import processes
from alchemy_node.burnin import claim, limits, loop, presenter, program, status, supervisor
from alchemy_node.burnin import profile as profiles
from alchemy_node.burnin.kernel_lines import KernelLines
from alchemy_node.burnin.model import Run
from alchemy_node.burnin.reader import read
from alchemy_node.machine import Machine
from tests import ocp, repository

pytestmark = pytest.mark.usefixtures("real_processes")

OUTPUTS = Path(__file__).parent / "outputs"
MIB = 1 << 20

TOOLS = {
    "stress-ng": f"cat {OUTPUTS}/stress-ng.txt",
    "stressapptest": f"cat {OUTPUTS}/stressapptest-pass.txt",
    "memtester": f"cat {OUTPUTS}/memtester.txt",
    "fio": f"""case "$*" in
        *do_verify=0*) cat {OUTPUTS}/fio-write.json;;
        *verify_only*) sed s/8388608/25165824/ {OUTPUTS}/fio-read.json;;
        *) cat {OUTPUTS}/fio-read.json;;
    esac""",
    "smartctl": 'echo \'{"smart_status": {"passed": true}}\'',
    "ipmitool": "echo 'Could not open device at /dev/ipmi0' >&2; exit 1",
    "wipefs": "true",
    "dmidecode": "exit 1",
}
FILES = {
    "proc/meminfo": "MemTotal: 1048576 kB\nMemAvailable: 819200 kB\n",
    "proc/cmdline": "console=ttyS0\n",
    "proc/cpuinfo": "processor\t: 0\nphysical id\t: 0\ncore id\t\t: 0\nflags\t\t: fpu\n",
    "proc/self/mountinfo": "22 1 0:21 / / rw - tmpfs tmpfs rw\n",
    "sys/devices/system/cpu/online": "0\n",
    "sys/block/sda/size": "131072\n",
    "sys/block/sda/ro": "0\n",
    "sys/block/sda/dev": "8:0\n",
    "sys/block/sda/queue/rotational": "0\n",
    "sys/block/sda/device/model": "EXAMPLE\n",
    "sys/block/sda/device/vpd_pg80": "\0\x80\0\x02S1",
    "sys/devices/system/edac/mc/mc0/dimm0/dimm_label": "A1\n",
    "sys/devices/system/edac/mc/mc0/dimm0/dimm_ce_count": "0\n",
}


class Node:
    """A machine in a folder, and the tools that it has."""

    def __init__(self, place: Path) -> None:
        self.root, self.bin, self.log = place / "root", place / "bin", place / "log"
        self.bin.mkdir()
        for name, script in TOOLS.items():
            self.tool(name, script)
        for name, text in FILES.items():
            self.write(name, text)
        (self.root / "dev").mkdir()
        (self.root / "dev/sda").touch()
        os.truncate(self.root / "dev/sda", 64 * MIB)

    def tool(self, name: str, script: str | None) -> None:
        path = self.bin / name
        if script is None:
            path.unlink()
            # what this host has must not be found in its place
            path.mkdir()
            return
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="latin-1")

    def run(self, *arguments: str) -> int:
        return program.main(["--profile", "quick", "--scale", "0.001", *arguments])

    @property
    def record(self) -> Run:
        [path] = self.log.glob("*/run.jsonl")
        ocp.validate(path.read_text(encoding="utf-8"))
        return read(path)

    @property
    def failures(self) -> list[str]:
        return [diagnosis.message for diagnosis in self.record.diagnoses if diagnosis.type == "FAIL"]


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    made = Node(tmp_path)
    path = f"{made.bin}:{processes._ENVIRONMENT['PATH']}"
    monkeypatch.setattr(processes, "_ENVIRONMENT", {"LC_ALL": "C", "PATH": path})
    monkeypatch.setattr(program, "Machine", lambda: Machine(made.root))
    monkeypatch.setattr(program, "follow", lambda: KernelLines(os.open("/dev/null", os.O_RDONLY), None))
    monkeypatch.setattr(program, "_TOOLS", ())
    monkeypatch.setattr(status, "FOLDER", made.log)
    monkeypatch.setattr(claim.claim, "__defaults__", (tmp_path / "lock",))
    monkeypatch.setattr(presenter, "own_terminal", dict)
    monkeypatch.setattr(limits, "adjust", lambda *_: False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for module, name in ((supervisor, "_SETTLE"), (supervisor, "_TURN"), (loop, "_POLL_SECONDS")):
        monkeypatch.setattr(module, name, 0.02)
    return made


def test_a_machine_that_is_well_passes(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert node.run() == 0
    printed = capsys.readouterr().out
    assert printed.startswith("profile quick: 1 s, on ")
    assert "no disk is written\n" in printed
    record = node.record
    assert (record.status, record.result) == ("COMPLETE", "PASS")
    assert {step.id: step.status for step in record.steps.values()} == {
        "kernel": "COMPLETE", "pcie": "SKIP", "bmc": "SKIP", "1-cpu": "COMPLETE", "2-memory": "COMPLETE",
        "2-disks": "COMPLETE", "3-cpu": "COMPLETE", "3-memory": "COMPLETE", "3-disks": "COMPLETE", "3-network": "SKIP",
    }  # fmt: skip
    assert {path.name for path in node.log.glob("*/*")} >= {"run.jsonl", "report.txt", "junit.xml", "2-disks-1.log"}


@pytest.mark.parametrize(
    ("tool", "script", "message"),
    [
        ("stress-ng", "echo 'stress-ng: fail:  [7] cpu: wrong' >&2; exit 2", "replace CPU 0: core 0 of CPU 0"),
        ("stressapptest", f"cat {OUTPUTS}/stressapptest-fail.txt; exit 1", "replace a DIMM: memory lost what was"),
        ("memtester", "echo 'FAILURE: 0x1 != 0x0 at offset 0x8.'; exit 4", "replace a DIMM: memory fails a pattern"),
        # fio ends with 0 whatever it read
        ("fio", f"cat {OUTPUTS}/fio-verify-error.json", "replace disk sda, serial S1: reading /dev/sda gave 1 errors"),
        ("smartctl", "echo '{\"smart_status\": {\"passed\": false}}'", "replace disk sda, serial S1: it says of"),
        ("fio", "echo 2 >{root}/sys/devices/system/edac/mc/mc0/dimm0/dimm_ce_count; cat {outputs}/fio-read.json",
         "replace DIMM A1: 2 corrected memory errors"),
    ],
)  # fmt: skip
def test_a_fault_fails_and_names_its_part(node: Node, tool: str, script: str, message: str) -> None:
    node.tool(tool, script.replace("{root}", str(node.root)).replace("{outputs}", str(OUTPUTS)))
    assert node.run() == 1
    assert any(failure.startswith(message) for failure in node.failures), node.failures
    assert (node.root / "run/alchemy/verdict").read_text(encoding="ascii") == "FAIL\n"


@pytest.mark.parametrize(
    ("tool", "script"),
    [
        ("stress-ng", None),
        ("stress-ng", "exit 3"),
        ("stressapptest", "kill -KILL $$"),
        ("memtester", "exit 1"),
        ("fio", None),
        ("fio", "head -c 300 /dev/urandom"),
    ],
)
def test_a_tool_that_gives_no_verdict_is_an_error(node: Node, tool: str, script: str | None) -> None:
    node.tool(tool, script)
    assert node.run() == 3
    assert node.failures == []
    assert (node.record.status, node.record.result) == ("ERROR", "NOT_APPLICABLE")


def test_a_blank_disk_is_written_when_that_is_asked_for(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.tool("fio", f'echo "$*" >>{node.root}/calls; {TOOLS["fio"]}')
    assert node.run("--disks", "blank", "--only", "disks") == 0
    assert "ALL DATA IS DESTROYED on 1 of 1 disks: disk sda, serial S1\n" in capsys.readouterr().out
    assert "--rw=write" in (node.root / "calls").read_text(encoding="utf-8")


@pytest.mark.parametrize("arguments", [[], ["--disks", "read"], ["--disks", "blank"]])
def test_a_disk_with_a_signature_is_never_written(node: Node, arguments: list[str]) -> None:
    node.tool("wipefs", "echo '0x438,,,ext4'")
    node.tool("fio", f'echo "$*" >>{node.root}/calls; {TOOLS["fio"]}')
    assert node.run(*arguments, "--only", "disks") == 0
    for call in (node.root / "calls").read_text(encoding="utf-8").splitlines():
        assert "--readonly" in call
        assert re.search(r"--rw=(rand)?read\b", call)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--profile", "qick"], "profile 'qick': unknown"),
        (
            ["--disks", "NONE"],
            "--disks: NONE: no disk has that serial (expected read, blank, or of these: S1 (/dev/sda))",
        ),
        (["--only", "memroy"], "--only: unknown step 'memroy' (did you mean memory?)"),
        (["--resume"], "--resume: no run without an end was found"),
    ],
)
def test_what_is_refused_before_anything_runs(
    node: Node, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert node.run(*arguments) == 2
    assert capsys.readouterr().err.startswith(f"alchemy-burnin: {message}")
    assert not node.log.exists() or list(node.log.iterdir()) == []


def test_a_plan_starts_nothing(node: Node) -> None:
    node.tool("stress-ng", f"touch {node.root}/started")
    assert node.run("--plan") == 0
    assert not (node.root / "started").exists()
    assert not node.log.exists()


def test_a_watch_without_anything_to_watch_proves_nothing(node: Node) -> None:
    assert node.run("--only", "bmc") == 3


def test_one_burn_in_at_a_time(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    lock = claim.claim()
    assert lock is not None
    assert node.run() == 3
    assert capsys.readouterr().err == "alchemy-burnin: another burn-in is running (alchemy-burnin status)\n"
    os.close(lock)


def test_the_profile_in_the_documentation_is_one() -> None:
    text = (repository.ROOT / "docs/burnin.md").read_text(encoding="utf-8")
    block = text[text.index('    time = "6h"') :].partition("\n## ")[0]
    example = "\n".join(line.removeprefix("    ") for line in block.splitlines())
    assert profiles.parse(example.encode(), "documented").seconds == 6 * 3600
