"""Memory that runs out: each way in which it could look like a fault of the hardware is an error."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from alchemy_node.burnin import bmc, loop, port_counters, profile, program, resume, shortage, smart, supervisor
from alchemy_node.burnin.activity import OUT_OF_MEMORY, Activity, Kind, Outcome, Pause
from alchemy_node.burnin.hardware import Machinery
from alchemy_node.burnin.parts import Part, Parts
from alchemy_node.burnin.sample import Key, Sample
from alchemy_node.burnin.steps import cpu, disks, memory
from alchemy_node.burnin.watch import Watch
from alchemy_node.machine import Machine
from alchemy_node.processes import Output
from tests import ocp
from tests.unit.node.burnin import runs as records
from tests.unit.node.burnin.drive import Answer, drive, said
from tests.unit.node.burnin.test_supervisor import NOTHING, PASSED, Bench, measures, runs

OUTPUTS = Path(__file__).parent / "outputs"
STRESS = (OUTPUTS / "stress-ng.txt").read_text(encoding="utf-8")
FIO_ERROR = (OUTPUTS / "fio-verify-error.json").read_text(encoding="utf-8")
PART = Part("the part")
BOOKS = """\
stress-ng: fail:  [9] cpu instance 0 corrupted bogo-ops counter, 1370 vs 0
stress-ng: fail:  [9] cpu instance 0 hash error in bogo-ops counter and run flag, 3250129726 vs 0
stress-ng: fail:  [9] metrics-check: stressor metrics corrupted, data is compromised
"""
KILL_LINE = "Out of memory: Killed process 812 (stress-ng-cpu) total-vm:1kB, anon-rss:1kB"
STALL = "INFO: task fio:99 blocked for more than 120 seconds."


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real_processes: None) -> Bench:
    for name in ("_TERM_SECONDS", "_KILL_SECONDS", "_DRAIN_SECONDS", "_POLL_SECONDS"):
        monkeypatch.setattr(loop, name, 0.1)
    monkeypatch.setattr(supervisor, "_TURN", 0.05)
    monkeypatch.setattr(supervisor, "_asked", lambda *_: asks_nothing())
    made = Bench(tmp_path)
    made.write("proc/vmstat", "pgfault 9\noom_kill 3\n")
    return made


def asks_nothing() -> Activity[Sample]:
    yield Pause(0)
    return Sample(missing={"bmc": "not installed"})


def kind(outcome: Outcome) -> list[tuple[str, str]]:
    return [(finding.kind.name, finding.verdict) for finding in outcome.findings]


@pytest.mark.parametrize(
    ("output", "killed"),
    [
        (Output(None, "", "", "killed by signal 9"), True),
        (said("", 2), True),
        (said("", 137), True),
        (Output(None, "", "", "timed out after 90 s"), True),
        (said("", 1, "stressapptest: cannot allocate memory\n"), False),
        (said("malloc failed: Cannot allocate memory\n", 1), False),
        (said("", 127, "memtester: error while loading shared libraries: libc.so.6: cannot allocate memory\n"), False),
        (said("", 126, "prlimit: failed to execute memtester: Cannot allocate memory\n"), False),
        (said("", 3, "stress-ng: fail:  [9] matrix: mmap failed, errno=12 (Out of memory)\n"), False),
        (said("", 1, "fio: pid=7, err=12/file:memory.c:333, func=iomem allocation, error=ENOMEM\n"), False),
        (Output(problem="cannot be started: Cannot allocate memory"), False),
    ],
)
def test_a_program_that_fails_for_want_of_memory_gives_no_verdict(output: Output, killed: bool) -> None:
    marked = shortage.marked(output, killed=killed)
    for judged in (
        cpu.judge("core 0", PART, marked, None),
        cpu.judge_linpack(PART, marked),
        memory.judge_stressapptest("memory", PART, marked),
        memory.judge_memtester("memory", PART, marked),
        disks.judge("reading sda", PART, marked, "read", None),
    ):
        assert kind(judged) == [("ERROR", "out-of-memory")]


@pytest.mark.parametrize("output", [said(STRESS), said("", 2), Output(None, "", "", "killed by signal 9")])
def test_any_other_output_is_left_as_it_is(output: Output) -> None:
    assert shortage.marked(output, killed=False) == output
    assert shortage.marked(said("Cannot allocate memory for more\n"), killed=True).problem is None


@pytest.mark.parametrize(
    ("stderr", "expected"),
    [
        (BOOKS, [("ERROR", "no-verdict")]),
        ("stress-ng: fail:  [9] cpu: cannot map, errno=12\n", [("ERROR", "no-verdict")]),
        (f"{BOOKS}stress-ng: fail:  [9] cpu: fft error detected\n", [("FAIL", "cpu-miscalculates")]),
    ],
)
def test_a_worker_that_died_is_told_from_one_that_calculates_wrongly(
    stderr: str, expected: list[tuple[str, str]]
) -> None:
    assert kind(cpu.judge("core 0", PART, said(STRESS, 2, stderr), None)) == expected


@pytest.mark.parametrize("status", [126, 127, 134, 255])
def test_a_memtester_that_did_not_run_says_nothing_of_the_memory(status: int) -> None:
    assert kind(memory.judge_memtester("memory", PART, said("", status))) == [("ERROR", "no-verdict")]


@pytest.mark.parametrize("length", [0, 100, len(FIO_ERROR) // 2, len(FIO_ERROR) - 4])
def test_a_report_of_fio_that_is_cut_off_is_no_verdict(length: int) -> None:
    cut = Output(None, FIO_ERROR[:length], "", "killed by signal 9")
    assert kind(disks.judge("reading sda", PART, cut, "read", None)) == [("ERROR", "no-verdict")]


KILLS = "echo oom_kill 4 >{root}/proc/vmstat"
# what a step's program does while the kernel kills a process for memory
STARVED = {
    "a worker of it is killed": f"{KILLS}; true",
    "it is killed": f"{KILLS}; kill -KILL $$",
    "it fails": f"{KILLS}; exit 2",
    "it says that the part is broken": f"{KILLS}; echo BROKEN",
    "it says so and is killed": f"echo BROKEN; {KILLS}; kill -KILL $$",
    "it hangs": f"{KILLS}; sleep 60",
}


@pytest.mark.parametrize("script", STARVED.values(), ids=STARVED.keys())
def test_a_step_in_which_memory_ran_out_is_an_error(bench: Bench, script: str) -> None:
    assert bench.run(runs(script.format(root=bench.root), 2)) == NOTHING
    assert bench.failures == []
    assert set(bench.errors) == {"out-of-memory", "nothing-tested"}
    assert bench.record.run.steps["1-step0"].status == "ERROR"


def test_a_program_that_gets_no_memory_is_an_error(bench: Bench) -> None:
    assert bench.run(runs("echo 'sh: Cannot allocate memory' >&2; exit 1")) == NOTHING
    assert bench.errors == ["out-of-memory", "nothing-tested"]


def test_memory_that_ran_out_before_the_run_is_not_its_own(bench: Bench) -> None:
    assert bench.run(runs("true")) == PASSED


def test_every_step_that_runs_is_in_error_and_each_once(bench: Bench) -> None:
    starves = runs(f"sleep 0.2; {KILLS.format(root=bench.root)}; sleep 0.4")
    bench.kernel_says(KILL_LINE)
    assert bench.run(starves, runs("sleep 0.6")) == NOTHING
    errors = [(message.step_id, message.symptom) for message in bench.record.run.messages if message.step_id]
    assert sorted(error for error in errors if error[1]) == [
        (step, "out-of-memory") for step in ("1-step0", "1-step1", "kernel")
    ]


def test_a_line_of_the_kernel_that_comes_after_the_step_makes_the_run_an_error(bench: Bench) -> None:
    run = bench.supervisor(runs("true"))
    run.record.step_start("late", "late")
    run.record.step_end("late", "COMPLETE")
    bench.kernel_says(KILL_LINE)
    run.run()
    assert bench.end() == NOTHING
    assert bench.failures == []


def test_slowness_is_not_judged_where_memory_ran_out(bench: Bench) -> None:
    def starved() -> Activity[Outcome]:
        bench.write("proc/vmstat", "oom_kill 4\n")
        return (yield from measures([100, 100, 50])())

    assert bench.run(starved) == NOTHING
    assert bench.failures == []
    assert "slower-than-equals" in [found.verdict for found in bench.record.run.diagnoses if found.type == "UNKNOWN"]


@pytest.mark.parametrize(
    ("percent", "failures", "errors"),
    [("0.00", ["task-hung"], []), ("9.99", ["task-hung"], []), ("55.10", [], ["out-of-memory"])],
)
def test_what_is_late_while_memory_is_short_is_no_failure(
    bench: Bench, percent: str, failures: list[str], errors: list[str]
) -> None:
    some, full = "some avg10=99.00 avg60=99.00 total=1\n", f"full avg10=0.00 avg60={percent} avg300=0.00 total=1\n"
    bench.write("proc/pressure/memory", some + full)
    bench.kernel_says(STALL)
    bench.run(runs("sleep 0.2"))
    assert [verdict for _, verdict, _ in bench.failures] == failures
    assert bench.errors == errors


def test_broken_hardware_is_a_failure_however_short_memory_is(bench: Bench) -> None:
    bench.kernel_says("mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 5: 8c0000400000009f")
    bench.run(runs(f"{KILLS.format(root=bench.root)}; sleep 0.2"))
    assert bench.failures == [("kernel", "dimm-ce", "dimm-a1")]


def watch() -> Watch:
    return Watch(Parts(), profile.LIMITS)


DISK, PORT, EVENT = Key("disk", "sda", "reallocated"), Key("nic", "eth0", "port_errors"), Key("sel", "", "1")
ROOM = Key("bmc", "", "event log")
IERR = "11/28/2026 | 03:30:00 | Processor CPU1 | IERR | Asserted"


@pytest.mark.parametrize(
    ("source", "sample"),
    [
        ("smart sda", Sample({DISK: 8})),
        ("ports eth0", Sample({PORT: 8})),
        ("bmc", Sample(states={ROOM: "ok"}, entries={EVENT: IERR})),
    ],
)
def test_what_was_not_told_at_first_is_not_new_later(source: str, sample: Sample) -> None:
    there = watch()
    assert there.look(Sample(missing={source: OUT_OF_MEMORY}), 0) == []
    assert there.look(sample, 1) == []
    worse = Sample({key: value + 1 for key, value in sample.counters.items()}, sample.states)
    worse |= Sample(entries={**sample.entries, Key("sel", "", "2"): IERR} if sample.entries else {})
    assert [finding.kind.name for finding in there.look(worse, 2)] == ["FAIL"]


def answering(output: Output) -> Answer:
    return lambda _: output


def test_a_bmc_that_was_not_asked_has_not_vanished() -> None:
    there = watch()
    there.look(Sample(states={ROOM: "ok"}), 0)
    for why in (OUT_OF_MEMORY, "killed by signal 9", "cannot be started: Cannot allocate memory"):
        output = Output(problem=why)
        sample, _, _ = drive(bmc.collect(), answering(output))
        assert there.look(sample, 1) == []


def test_half_of_the_counters_of_a_port_are_none() -> None:
    half = Output(None, "NIC statistics:\n     rx_crc_errors: 2\n", "", "killed by signal 9")
    sample, _, _ = drive(port_counters.collect(["eth0"]), lambda _: half)
    assert sample == Sample(missing={"ports eth0": "killed by signal 9"})


def test_a_disk_whose_smartctl_was_killed_says_nothing() -> None:
    half = Output(None, json.dumps({"smart_status": {"passed": False}})[:20], "", "killed by signal 9")
    sample, _, _ = drive(smart.collect({"sda": ("/dev/sda",)}), lambda _: half)
    assert (sample.counters, sample.states) == ({}, {})


@pytest.mark.parametrize(
    ("panic", "before", "failures"),
    [
        ("", None, 1),
        ("", timedelta(minutes=5), 0),
        ("", timedelta(hours=2), 1),
        ("Kernel panic - not syncing: System is deadlocked on memory", None, 0),
        ("Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled", None, 0),
        ("Kernel panic - not syncing: Fatal machine check", None, 1),
    ],
)
def test_a_reset_for_want_of_memory_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, panic: str, before: timedelta | None, failures: int
) -> None:
    clock = records.Clock()
    record = records.begin(tmp_path / "run.jsonl", clock)
    record.step_start("memory", "memory")
    if before is not None:
        record.error("out-of-memory", "memory ran out", "memory")
        clock.moment += before
    record.log("INFO", "the last sign of life")
    monkeypatch.setattr(resume, "last_words", lambda *_: panic)
    resume.go_on(record, Machine(tmp_path), reset=True)
    assert record.run.failures == failures
    for step in record.run.open_steps:
        record.step_end(step.id, "ERROR")
    record.run_end(*record.outcome())
    record.close()
    ocp.validate((tmp_path / "run.jsonl").read_text(encoding="ascii"))
    assert (record.run.status == "ERROR") == (failures == 0)


@pytest.mark.parametrize(("killed", "expected"), [(0, {Kind.FAIL}), (1, {Kind.ERROR})])
def test_an_inventory_for_which_memory_ran_out_proves_no_loss(tmp_path: Path, killed: int, expected: set[Kind]) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/vmstat").write_text(f"oom_kill {killed}\n", encoding="ascii")
    record = records.begin(tmp_path / "run.jsonl")
    found = program._lost(Machine(tmp_path), record.run, Machinery(Parts(), (), (), (), {}, "m", False))
    assert {finding.kind for finding in found} == expected


@pytest.mark.parametrize("text", [None, "", "oom_kill x\n", "xoom_kill 3\n", "oom_kill 99999999999999999999\n"])
def test_a_count_that_cannot_be_read_is_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "proc").mkdir()
        (tmp_path / "proc/vmstat").write_text(text, encoding="ascii")
    assert shortage.kills(Machine(tmp_path)) == 0
    assert not shortage.short(Machine(tmp_path))
