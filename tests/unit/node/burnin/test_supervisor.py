"""The supervisor, with small programs in place of loads, and evidence that appears while they run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from alchemy_node.burnin import loop as loops
from alchemy_node.burnin import profile, resume, supervisor
from alchemy_node.burnin.activity import Activity, Kind, Measurement, Outcome, Pause, Program, one, trouble
from alchemy_node.burnin.kernel_lines import KernelLines
from alchemy_node.burnin.loop import Loop
from alchemy_node.burnin.ocp import Hardware
from alchemy_node.burnin.parts import Part, Parts
from alchemy_node.burnin.plan import PlannedPhase, Step
from alchemy_node.burnin.profile import Options, Profile
from alchemy_node.burnin.record import Record
from alchemy_node.burnin.sample import Sample
from alchemy_node.burnin.step import Planned, Setting
from alchemy_node.burnin.steps import reboot
from alchemy_node.burnin.supervisor import Supervisor
from alchemy_node.burnin.watch import Watch
from alchemy_node.machine import Machine
from alchemy_node.processes import Output
from tests import ocp

pytestmark = pytest.mark.usefixtures("real_processes")

DIMM = Part("DIMM A1", "D1", "dimm-a1")
PARTS = Parts({("dimm", "A1"): DIMM})
CE = "sys/devices/system/edac/mc/mc0/dimm0/dimm_ce_count"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_TERM_SECONDS", "_KILL_SECONDS", "_DRAIN_SECONDS", "_POLL_SECONDS"):
        monkeypatch.setattr(loops, name, 0.1)
    for name in ("_TURN", "_SETTLE"):
        monkeypatch.setattr(supervisor, name, 0.05)
    monkeypatch.setattr(supervisor, "_OVERTIME_SECONDS", 0.0)
    # neither disks nor a BMC are asked
    monkeypatch.setattr(supervisor, "_asked", lambda *_: _nothing())


def _nothing() -> Activity[Sample]:
    yield Pause(0)
    return Sample(missing={"bmc": "not installed"})


class Bench:
    """A machine with one DIMM, and the record of its run."""

    def __init__(self, root: Path) -> None:
        self.root = root / "root"
        self.write(CE, "0\n")
        self.write("sys/devices/system/edac/mc/mc0/dimm0/dimm_label", "A1\n")
        read, self._kmsg = os.pipe2(os.O_NONBLOCK)
        self.lines = KernelLines(read, None)
        self.path = root / "run.jsonl"
        self.record = Record(self.path)
        hardware = Hardware("dimm-a1", "DIMM A1", serial_number="D1")
        self.record.run_start(version="1", command_line="x", parameters={}, machine="m", hardware=[hardware])
        quick = profile.load("quick")
        self.profile: Profile = replace(quick, options=replace(quick.options, sample_seconds=0))

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")

    def kernel_says(self, line: str) -> None:
        os.write(self._kmsg, f"6,1,1,-;{line}\n".encode())

    def supervisor(self, *steps: Callable[[], Activity[Outcome]] | str, seconds: float = 10) -> Supervisor:
        """A supervisor of one phase: a string is the reason to skip a step."""
        planned = [
            Step(f"1-step{number}", f"step{number}", Planned(skip=step) if isinstance(step, str) else Planned((step,)))
            for number, step in enumerate(steps)
        ]
        machine = Machine(self.root)
        phases = (PlannedPhase(seconds, tuple(planned)),) if steps else ()
        watch = Watch(PARTS, self.profile.limits)
        return Supervisor(machine, self.profile, phases, {}, watch, self.lines, self.record, Loop(machine))

    def run(self, *steps: Callable[[], Activity[Outcome]] | str, seconds: float = 10) -> tuple[str | None, str | None]:
        self.supervisor(*steps, seconds=seconds).run()
        return self.end()

    def end(self) -> tuple[str | None, str | None]:
        ocp.validate(self.path.read_text(encoding="utf-8"))
        return self.record.run.status, self.record.run.result

    @property
    def failures(self) -> list[tuple[str, str, str | None]]:
        return [(d.step_id, d.verdict, d.hardware) for d in self.record.run.diagnoses if d.type == "FAIL"]

    @property
    def errors(self) -> list[str | None]:
        return [message.symptom for message in self.record.run.messages if message.symptom is not None]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def runs(script: str, seconds: float = 20) -> Callable[[], Activity[Outcome]]:
    """A step that passes when its program ends with 0, and fails when it says so."""

    def activity() -> Activity[Outcome]:
        output = yield Program(("sh", "-c", script), seconds)
        return judge(output)

    return activity


def judge(output: Output) -> Outcome:
    if "BROKEN" in output.stdout:
        return one(Kind.FAIL, "broken", f"replace {DIMM}", DIMM)
    return one(Kind.PASS, "ran", "ran well") if output.status == 0 else trouble("sh", output)


PASSED, FAILED, NOTHING = ("COMPLETE", "PASS"), ("COMPLETE", "FAIL"), ("ERROR", "NOT_APPLICABLE")


def test_a_clean_run_passes(bench: Bench) -> None:
    assert bench.run(runs("true"), runs("sleep 0.3")) == PASSED
    assert bench.failures == []
    states = {step.id: step.status for step in bench.record.run.steps.values()}
    assert states == {
        "kernel": "COMPLETE", "pcie": "SKIP", "bmc": "SKIP", "1-step0": "COMPLETE", "1-step1": "COMPLETE",
    }  # fmt: skip


def test_what_a_program_finds_is_a_failure(bench: Bench) -> None:
    assert bench.run(runs("true"), runs("echo BROKEN")) == FAILED
    assert bench.failures == [("1-step1", "broken", "dimm-a1")]


@pytest.mark.parametrize(
    ("script", "seconds", "symptom"),
    [
        ("exit 3", 20, "no-verdict"),
        ("sleep 60", 0.3, "no-verdict"),
        ("trap '' TERM; while :; do sleep 60; done", 0.3, "no-verdict"),
        ("kill -KILL $$", 20, "no-verdict"),
    ],
)
def test_a_step_without_a_verdict_is_an_error_and_the_others_go_on(
    bench: Bench, script: str, seconds: float, symptom: str
) -> None:
    assert bench.run(runs(script, seconds), runs("sleep 0.5")) == NOTHING
    assert bench.failures == []
    assert symptom in bench.errors
    assert bench.record.run.steps["1-step1"].status == "COMPLETE"


def test_a_failure_outranks_an_error(bench: Bench) -> None:
    assert bench.run(runs("exit 3"), runs("echo BROKEN")) == FAILED


def test_a_bug_in_a_step_is_an_error(bench: Bench) -> None:
    def broken() -> Activity[Outcome]:
        yield Pause(0)
        raise KeyError("x")

    assert bench.run(broken, runs("true")) == NOTHING
    assert bench.errors == ["bug"]


def test_a_bug_in_the_supervisor_ends_the_run_as_an_error(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watch, "look", lambda *_: [][0])
    assert bench.run(runs("sleep 60")) == NOTHING
    assert bench.errors[0] == "bug"


def test_a_step_that_does_not_end_is_ended(bench: Bench) -> None:
    def endless() -> Activity[Outcome]:
        while True:
            yield Program(("sleep", "0.1"), 10)

    assert bench.run(endless, runs("true"), seconds=0.3) == NOTHING
    assert bench.errors == ["overdue"]


@pytest.mark.parametrize("steps", [["no disks"], ["no disks", "no partner"]])
def test_zero_tests_are_an_error(bench: Bench, steps: list[str]) -> None:
    assert bench.run(*steps) == NOTHING
    assert "nothing-tested" in bench.errors


def test_a_step_that_says_nothing_is_an_error(bench: Bench) -> None:
    def silent() -> Activity[Outcome]:
        yield Pause(0)
        return Outcome()

    assert bench.run(silent, runs("true")) == NOTHING
    assert bench.errors == ["no-verdict"]


def test_a_step_that_finds_nothing_to_test_is_skipped(bench: Bench) -> None:
    def alone() -> Activity[Outcome]:
        yield Pause(0)
        return one(Kind.SKIP, "unpaired", "no partner")

    assert bench.run(alone, runs("true")) == PASSED
    assert bench.record.run.steps["1-step0"].status == "SKIP"


def test_evidence_during_a_run_fails_it_and_names_the_part(bench: Bench) -> None:
    assert bench.run(runs(f"sleep 0.3; echo 3 >{bench.root}/{CE}; sleep 0.3")) == FAILED
    assert bench.failures == [("kernel", "dimm-ce", "dimm-a1")]
    [diagnosis] = [d for d in bench.record.run.diagnoses if d.type == "FAIL"]
    assert diagnosis.message.startswith("replace DIMM A1, serial D1: 3 corrected memory errors in ")
    assert diagnosis.message.endswith("(during 1-step0)")


def test_errors_from_before_the_run_are_not_its_own(bench: Bench) -> None:
    bench.write(CE, "40\n")
    assert bench.run(runs("sleep 0.3")) == PASSED


def test_evidence_that_comes_right_at_the_end_counts(bench: Bench) -> None:
    bench.profile = replace(bench.profile, options=replace(bench.profile.options, sample_seconds=3600))
    assert bench.run(runs(f"echo 1 >{bench.root}/{CE}")) == FAILED


def test_what_the_kernel_says_counts(bench: Bench) -> None:
    bench.kernel_says("mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 5: 8c0000400000009f")
    assert bench.run(runs("sleep 0.2")) == FAILED
    assert bench.failures == [("kernel", "dimm-ce", "dimm-a1")]


def test_an_error_without_a_part_counts_unless_a_better_source_names_it(bench: Bench) -> None:
    bench.kernel_says("mce: [Hardware Error]: Machine check events logged")
    assert bench.run(runs("sleep 0.2")) == FAILED
    assert bench.failures == [("kernel", "hardware-error", None)]


def test_out_of_memory_is_an_error_and_no_failure(bench: Bench) -> None:
    bench.kernel_says("Out of memory: Killed process 812 (stress-ng-vm) total-vm:1kB")
    assert bench.run(runs("sleep 0.2")) == NOTHING
    assert bench.errors == ["out-of-memory"]
    assert bench.failures == []


def test_a_run_that_is_interrupted_ends_soon_and_proves_nothing(bench: Bench) -> None:
    run = bench.supervisor(runs("sleep 60"), runs("echo BROKEN >/dev/null; sleep 60"))
    old = signal.signal(signal.SIGALRM, lambda *_: run.interrupt("SIGTERM"))
    signal.setitimer(signal.ITIMER_REAL, 0.4)
    try:
        run.run()
    finally:
        signal.signal(signal.SIGALRM, old)
    assert bench.end() == NOTHING
    assert bench.errors == ["interrupted"]
    assert {step.status for step in bench.record.run.steps.values()} <= {"ERROR", "SKIP", "COMPLETE"}


def test_what_was_found_before_an_interruption_still_counts(bench: Bench) -> None:
    bench.kernel_says("mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 5: 8c0000400000009f")
    run = bench.supervisor(runs("sleep 60"))
    old = signal.signal(signal.SIGALRM, lambda *_: run.interrupt("SIGINT"))
    signal.setitimer(signal.ITIMER_REAL, 0.4)
    try:
        run.run()
    finally:
        signal.signal(signal.SIGALRM, old)
    assert bench.end() == FAILED


def test_a_run_without_phases_watches(bench: Bench) -> None:
    bench.profile = replace(bench.profile, seconds=0.4)
    bench.kernel_says("mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 5: 8c0000400000009f")
    assert bench.run() == FAILED


def test_a_watch_that_has_nothing_to_watch_proves_nothing(bench: Bench) -> None:
    bench.profile = replace(bench.profile, seconds=0.2)
    run = bench.supervisor()
    run.wanted = ("bmc",)
    run.run()
    assert bench.end() == NOTHING
    assert bench.errors == ["nothing-tested"]


def test_a_kernel_log_that_cannot_be_read_is_told(bench: Bench) -> None:
    bench.lines = KernelLines(None, None)
    assert bench.run(runs("true")) == PASSED
    assert "kernel-log-absent" in [d.verdict for d in bench.record.run.diagnoses if d.type == "UNKNOWN"]


def test_lines_of_the_kernel_that_were_lost_are_told(bench: Bench) -> None:
    bench.lines.lost = True
    assert bench.run(runs("true")) == PASSED
    assert "kernel-log-lost" in [d.verdict for d in bench.record.run.diagnoses if d.type == "UNKNOWN"]


def measures(values: list[float]) -> Callable[[], Activity[Outcome]]:
    def activity() -> Activity[Outcome]:
        yield Pause(0)
        found = tuple(
            Measurement("rate", value, "ops/s", Part(f"core {n}"), group="g") for n, value in enumerate(values)
        )
        return one(Kind.PASS, "ran", "ran well") + Outcome((), found)

    return activity


def test_a_part_that_is_slower_than_its_equals_fails(bench: Bench) -> None:
    assert bench.run(measures([100, 100, 50])) == FAILED
    assert bench.failures == [("1-step0", "slower-than-equals", None)]


def test_temperatures_are_a_series(bench: Bench) -> None:
    bench.write("sys/class/hwmon/hwmon0/name", "coretemp\n")
    bench.write("sys/class/hwmon/hwmon0/temp1_input", "45000\n")
    assert bench.run(runs("sleep 0.3")) == PASSED
    [series] = [series for series in bench.record.run.series.values() if series.unit == "C"]
    assert series.count >= 2
    assert (series.name, series.last) == ("temperature temp1 sensor coretemp", 45.0)


def reboots(done: int) -> Callable[[], Activity[Outcome]]:
    planned = reboot.plan(Setting(Machine(Path("/nowhere")), PARTS, 10, 0, options=Options(reboots=2), reboots=done))
    return planned.activities[0]


@pytest.mark.parametrize("done", [0, 1])
def test_a_run_is_left_open_for_a_reboot(bench: Bench, done: int) -> None:
    run = bench.supervisor(reboots(done))
    run.run()
    assert run.reboot == f"reboot {done + 1} of 2"
    assert bench.record.run.status is None
    assert resume.ordered(bench.record.run)
    assert {step.id for step in bench.record.run.open_steps} == {"kernel", "pcie", "bmc", "1-step0"}
    ocp.validate(bench.path.read_text(encoding="utf-8"), ended=False)


def test_a_run_goes_on_after_its_reboots(bench: Bench) -> None:
    bench.supervisor(reboots(1)).run()
    bench.record.close()
    bench.record = Record(bench.path)
    resume.go_on(bench.record, Machine(bench.root), reset=True)
    assert bench.run(reboots(2)) == PASSED
    assert "reboots" in [diagnosis.verdict for diagnosis in bench.record.run.diagnoses]


def test_a_part_that_a_boot_has_lost_is_a_failure(bench: Bench) -> None:
    run = bench.supervisor(runs("true"))
    run.lost = tuple(reboot.lost(bench.record.run.hardware.values(), []))
    run.run()
    assert bench.end() == FAILED
    assert bench.failures == [("kernel", "vanished", "dimm-a1")]


@pytest.mark.parametrize(
    ("now", "lost"),
    [
        ([Hardware("disk-sda", "disk sda", serial_number="S1"), Hardware("pci-1", "card")], []),
        # the kernel has named it otherwise
        ([Hardware("disk-sdb", "disk sdb", serial_number="S1"), Hardware("pci-1", "card")], []),
        # another disk has its name now
        ([Hardware("disk-sda", "disk sda", serial_number="S2"), Hardware("pci-1", "card")], ["disk sda, serial S1"]),
        ([Hardware("disk-sda", "disk sda", serial_number="S1")], ["card"]),
        ([], ["disk sda, serial S1", "card"]),
    ],
)
def test_parts_are_known_again_by_their_serial(now: list[Hardware], lost: list[str]) -> None:
    before = [Hardware("disk-sda", "disk sda", serial_number="S1"), Hardware("pci-1", "card")]
    assert [str(finding.part) for finding in reboot.lost(before, now)] == lost


@pytest.mark.parametrize(
    ("options", "done", "skip"),
    [
        (Options(), 0, "the profile asks for no reboots"),
        (Options(reboots=2), None, "no rack service keeps the record over a reboot (rack_url=)"),
    ],
)
def test_reboots_that_are_skipped(options: Options, done: int | None, skip: str) -> None:
    setting = Setting(Machine(Path("/nowhere")), PARTS, 10, 0, options=options, reboots=done)
    assert reboot.plan(setting).skip == skip


def test_a_part_that_was_not_listed_is_named_without_an_id(bench: Bench) -> None:
    def other() -> Activity[Outcome]:
        yield Pause(0)
        return one(Kind.FAIL, "broken", "replace disk sdb", Part("disk sdb", "S9", "disk-sdb"))

    assert bench.run(other) == FAILED
    assert bench.failures == [("1-step0", "broken", None)]
