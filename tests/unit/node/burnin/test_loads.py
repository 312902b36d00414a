"""The loads of CPUs and memory: what is run, and what its output proves."""

from __future__ import annotations

import re
from mmap import PAGESIZE
from pathlib import Path

import pytest

from alchemy_node.burnin.activity import OUT_OF_MEMORY, Program
from alchemy_node.burnin.parts import Part, Parts
from alchemy_node.burnin.step import Setting
from alchemy_node.burnin.steps import cpu, memory
from alchemy_node.burnin.topology import Core, cpu_list
from alchemy_node.inventory.memory_map import MemoryMap
from alchemy_node.machine import Machine
from alchemy_node.processes import Output
from tests.unit.node.burnin.drive import drive, said

OUTPUTS = Path(__file__).parent / "outputs"
CPU = Part("CPU 1", "C1", "cpu-0")
DIMM = Part("DIMM A1", "D1", "dimm-a1")
MIB = 1 << 20

STRESS = (OUTPUTS / "stress-ng.txt").read_text(encoding="utf-8")
SAT_PASS = (OUTPUTS / "stressapptest-pass.txt").read_text(encoding="utf-8")
SAT_FAIL = (OUTPUTS / "stressapptest-fail.txt").read_text(encoding="utf-8")
# as 1.0.6 wrote it
SAT_WITHOUT_TIMES = re.sub(r"(?m)^[0-9/]+-[0-9:]+\(UTC\) ", "", SAT_FAIL)
SAT_PROCEDURAL = "Process Error: Sat::Initialize() failed\n\nStatus: FAIL - test encountered procedural errors\n"
MEMTESTER = (OUTPUTS / "memtester.txt").read_text(encoding="utf-8")

KILLED = Output(None, "", "", "killed by signal 9")
NO_MEMORY = Output(None, "", "", OUT_OF_MEMORY)
TIMEOUT = Output(None, "", "", "timed out after 90 s")
ABSENT = Output(problem="not installed")


@pytest.mark.parametrize(
    ("output", "kind", "verdict"),
    [
        (said(STRESS), "PASS", "cpu-load"),
        (said(STRESS, 7), "PASS", "cpu-load"),
        (said("", 2, "stress-ng: fail:  [7] cpu: fft error detected, sum wrong\n"), "FAIL", "cpu-miscalculates"),
        (said(STRESS, 2), "FAIL", "cpu-miscalculates"),
        (said("", 1), "ERROR", "no-verdict"),
        (said("", 3), "ERROR", "no-verdict"),
        (said("", 4), "NOTE", "cpu-load-absent"),
        (said("", 5), "ERROR", "no-verdict"),
        (said("", 6), "ERROR", "no-verdict"),
        (said(""), "ERROR", "no-verdict"),
        (said(STRESS.replace("passed: 2", "passed: 0")), "ERROR", "no-verdict"),
        (said(STRESS[:300]), "ERROR", "no-verdict"),
        (KILLED, "ERROR", "no-verdict"),
        (TIMEOUT, "ERROR", "no-verdict"),
        (ABSENT, "ERROR", "no-verdict"),
        (NO_MEMORY, "ERROR", "out-of-memory"),
    ],
)
def test_what_stress_ng_proves(output: Output, kind: str, verdict: str) -> None:
    [finding] = cpu.judge("core 0 of CPU 1", CPU, output, None).findings
    assert (finding.kind.name, finding.verdict, finding.part) == (kind, verdict, CPU)


def test_a_miscalculation_names_the_core_and_the_cpu() -> None:
    output = said("", 2, "stress-ng: fail:  [7] cpu: fft error detected\n")
    [finding] = cpu.judge("core 3 of CPU 1", CPU, output, None).findings
    assert finding.message == 'replace CPU 1, serial C1: core 3 of CPU 1 calculated wrongly ("cpu: fft error detected")'


def test_the_speed_of_a_core_is_measured() -> None:
    [measurement] = cpu.judge("core 0", CPU, said(STRESS), "2000 MHz").measurements
    assert (measurement.value, measurement.unit, measurement.group) == (1402.59, "ops/s", "2000 MHz")
    assert cpu.judge("core 0", CPU, said(STRESS, 7), "2000 MHz").measurements == ()


LINPACK = """\
   SIZE       Residual     Decompose            Solve           Total
  1000 : {} 5000.00 MFlops 900.0 MFlops 4800.00 MFlops
"""


@pytest.mark.parametrize(
    ("output", "kind", "verdict"),
    [
        (said("", 0, LINPACK.format("1.3e-12")), "PASS", "linpack"),
        (said(LINPACK.format("9.9e-07")), "PASS", "linpack"),
        (said(LINPACK.format("1.1e-06")), "FAIL", "linpack-residual"),
        (said(LINPACK.format("nan")), "FAIL", "linpack-residual"),
        (said(LINPACK.format("-nan")), "FAIL", "linpack-residual"),
        (said(LINPACK.format("inf")), "FAIL", "linpack-residual"),
        (said(LINPACK.format("****")), "FAIL", "linpack-residual"),
        (said(LINPACK.format("1.3e-12"), 1), "ERROR", "no-verdict"),
        (said(""), "ERROR", "no-verdict"),
        (NO_MEMORY, "ERROR", "out-of-memory"),
        (ABSENT, "ERROR", "no-verdict"),
    ],
)
def test_what_linpack_proves(output: Output, kind: str, verdict: str) -> None:
    [finding] = cpu.judge_linpack(CPU, output).findings
    assert (finding.kind.name, finding.verdict) == (kind, verdict)


def test_a_core_is_loaded_with_every_load_for_its_time() -> None:
    core = Core("0", 3, (3, 7), "2000 MHz x2")
    outcome, programs, _ = drive(cpu.load(core, CPU, 600, True), lambda _: said(STRESS))
    assert [finding.kind.name for finding in outcome.findings] == ["PASS"]
    assert [program.argv[1:3] for program in programs] == [
        ("--cpu", "2"), ("--cpu", "2"), ("--matrix", "2"), ("--vecmath", "2"), ("--fma", "2"),
    ]  # fmt: skip
    assert {program.cpus for program in programs} == {"3,7"}
    assert all("--verify" in program.argv for program in programs)
    times = [int(program.argv[program.argv.index("--timeout") + 1].removesuffix("s")) for program in programs]
    assert sum(times) == pytest.approx(600, abs=3)
    assert len(outcome.measurements) == 1


def test_one_wrong_result_of_a_core_outweighs_all_right_ones() -> None:
    def answer(program: Program) -> Output:
        return said("", 2) if "--matrix" in program.argv else said(STRESS)

    outcome, _, _ = drive(cpu.load(Core("0", 0, (0,), ""), CPU, 600, False), answer)
    assert [finding.verdict for finding in outcome.findings] == ["cpu-miscalculates"]


@pytest.mark.parametrize(
    ("output", "kind", "verdict"),
    [
        (said(SAT_PASS), "PASS", "memory-patterns"),
        (said(SAT_FAIL, 1), "FAIL", "memory-miscompare"),
        (said(SAT_FAIL), "FAIL", "memory-miscompare"),
        # killed in its middle: what it saw before still counts
        (Output(None, SAT_FAIL[:1000], "", "killed by signal 9"), "FAIL", "memory-miscompare"),
        (said(SAT_PROCEDURAL, 1), "ERROR", "no-verdict"),
        (said(SAT_PASS, 1), "ERROR", "no-verdict"),
        (said(SAT_PASS.replace("Status: PASS", "Status: ")), "ERROR", "no-verdict"),
        (said("Status: PASS - please verify no corrected errors\n"), "ERROR", "no-verdict"),
        (said(""), "ERROR", "no-verdict"),
        (said("\0\x1b[2J" * 100), "ERROR", "no-verdict"),
        (KILLED, "ERROR", "no-verdict"),
        (TIMEOUT, "ERROR", "no-verdict"),
        (ABSENT, "ERROR", "no-verdict"),
        (NO_MEMORY, "ERROR", "out-of-memory"),
    ],
)
def test_what_stressapptest_proves(output: Output, kind: str, verdict: str) -> None:
    [finding] = memory.judge_stressapptest("memory", DIMM, output).findings
    assert (finding.kind.name, finding.verdict, finding.part) == (kind, verdict, DIMM)


@pytest.mark.parametrize("output", [SAT_FAIL, SAT_WITHOUT_TIMES], ids=["with times", "without times"])
def test_a_miscompare_names_the_dimm(output: str) -> None:
    [finding] = memory.judge_stressapptest("memory", DIMM, said(output, 1)).findings
    assert finding.message.startswith(
        'replace DIMM A1, serial D1: memory lost what was written ("miscompare on CPU 0(<-0) at 0x'
    )


@pytest.mark.parametrize(
    ("output", "kind", "verdict"),
    [
        (said(MEMTESTER), "PASS", "memory-patterns"),
        (said(MEMTESTER, 4), "FAIL", "memory-pattern"),
        (said("", 2), "FAIL", "memory-pattern"),
        (said("", 6), "FAIL", "memory-pattern"),
        (said("", 0, "FAILURE: 0xffff != 0xfffe at offset 0x12.\n"), "FAIL", "memory-pattern"),
        (Output(None, "FAILURE: 0xffff != 0xfffe at offset 0x12.\n", "", TIMEOUT.problem), "FAIL", "memory-pattern"),
        (said("", 1), "ERROR", "no-verdict"),
        (said(""), "ERROR", "no-verdict"),
        (KILLED, "ERROR", "no-verdict"),
        (TIMEOUT, "NOTE", "memtester-unfinished"),
        (NO_MEMORY, "ERROR", "out-of-memory"),
        (ABSENT, "ERROR", "no-verdict"),
    ],
)
def test_what_memtester_proves(output: Output, kind: str, verdict: str) -> None:
    [finding] = memory.judge_memtester("memory", DIMM, output).findings
    assert (finding.kind.name, finding.verdict) == (kind, verdict)


def machine(root: Path, numa: int = 1) -> Machine:
    files = {"sys/devices/system/cpu/online": "0-3\n", "proc/cpuinfo": "flags : fpu\n"}
    for index in range(4):
        folder = f"sys/devices/system/cpu/cpu{index}"
        files[f"{folder}/topology/physical_package_id"] = str(index % 2)
        files[f"{folder}/topology/core_id"] = "0"
    for node in range(numa):
        files[f"sys/devices/system/node/node{node}/meminfo"] = f"Node {node} MemTotal:    1048576 kB\n"
        files[f"sys/devices/system/node/node{node}/cpulist"] = f"{node},{node + 2}\n"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    return Machine(root)


def test_the_plan_of_the_cpus(tmp_path: Path) -> None:
    planned = cpu.plan(Setting(machine(tmp_path), Parts(), 600, 1 << 30, tools=frozenset({"linpack"})))
    assert planned.about == "2 cores, 4 threads: calculates and verifies"
    # each core, and linpack on each package after them
    assert len(planned.activities) == 4
    *_, last = planned.activities
    outcome, programs, waited = drive(last(), lambda _: said("", 0, LINPACK.format("1e-12")))
    assert (waited, programs[0].argv[0], programs[0].cpus) == (540, "linpack", "1,3")
    assert [finding.verdict for finding in outcome.findings] == ["linpack"]


def test_a_machine_that_hides_its_cpus_is_skipped(tmp_path: Path) -> None:
    assert cpu.plan(Setting(Machine(tmp_path), Parts(), 600, 1 << 30)).skip is not None


def test_the_plan_of_the_memory_stays_within_its_budget(tmp_path: Path) -> None:
    placed = Setting(machine(tmp_path, numa=2), Parts({("dimm", "A1"): DIMM}), 600, 512 * MIB, placed=True)
    planned = memory.plan(placed)
    assert len(planned.activities) == 2
    taken = 0
    for node, activity in enumerate(planned.activities):
        _, programs, _ = drive(activity(), lambda program: said(SAT_PASS if "-W" in program.argv else MEMTESTER))
        assert [program.argv[0] for program in programs] == ["stressapptest", "memtester"]
        assert {program.nodes for program in programs} == {str(node)}
        assert all(program.memory is not None for program in programs)
        taken += max(program.memory or 0 for program in programs)
    assert taken <= 512 * MIB


def test_where_programs_cannot_be_placed_memory_is_tested_as_a_whole(tmp_path: Path) -> None:
    planned = memory.plan(Setting(machine(tmp_path, numa=2), Parts(), 600, 512 * MIB))
    assert len(planned.activities) == 1


@pytest.mark.parametrize("size", [0, 60 * MIB])
def test_too_little_memory_is_a_skip_with_its_reason(tmp_path: Path, size: int) -> None:
    planned = memory.plan(Setting(machine(tmp_path), Parts(), 600, size))
    assert planned.skip == f"too little memory is free ({size // MIB} MiB)"


@pytest.mark.parametrize(
    ("dimms", "blamed"),
    [
        (["A1"], "DIMM A1"),
        (["A1", "B1"], "a DIMM (DIMM A1 or DIMM B1)"),
        (["A1", "A2", "A3", "A4", "A5"], "a DIMM"),
        ([], "a DIMM"),
    ],
)
def test_who_is_blamed_for_memory(tmp_path: Path, dimms: list[str], blamed: str) -> None:
    parts = Parts({("dimm", name): Part(f"DIMM {name}") for name in dimms})
    assert str(memory.blame(Setting(Machine(tmp_path), parts, 1, 1), None)) == blamed


# 16 GiB each of A1 and B1, 32 GiB of C1 and D1 together, then 2 GiB of each of six more.
GIB = 1 << 30
DIMMS = {number: Part(f"DIMM {number}", None, f"dimm-{number}") for number in range(10)}
RANGES = (
    ((0, 16 * GIB - 1), frozenset({0})),
    ((16 * GIB, 32 * GIB - 1), frozenset({1})),
    ((32 * GIB, 64 * GIB - 1), frozenset({2, 3})),
    *(((62 * GIB + n * GIB * 2, 64 * GIB + n * GIB * 2 - 1), frozenset({n})) for n in range(4, 10)),
)
LOCATED = Parts({("dimm", str(n)): part for n, part in DIMMS.items()}, MemoryMap(RANGES, interleaved=True), DIMMS)
PAIR = "one of 2 interleaved DIMMs (DIMM 2 or DIMM 3)"


def miscompares(*addresses: int, off: int = 4) -> Output:
    """What stressapptest prints: the physical address is of the first wrong byte of the word."""
    lines = (
        f"Hardware Error: miscompare on CPU 0(<-0) at 0x{0x7FA732D1F000 + address % PAGESIZE - off:x}"
        f"(0x{address:x}:DIMM Unknown): read:0xffffffbaffffffff, reread:0xffffffbaffffffff expected:0xffffffffffffffff"
        for address in addresses
    )
    return said("\n".join(lines) + "\nStatus: FAIL - test discovered HW problems\n", 1)


A, B, C = 5 * GIB + 0x70C, 20 * GIB + 0x14, 40 * GIB + 0x1C


@pytest.mark.parametrize(
    ("output", "messages"),
    [
        (miscompares(A), {"DIMM 0": "replace DIMM 0: memory lost what was written at physical address 0x14000070c"}),
        (miscompares(A + 8, A, A), {"DIMM 0": "... at physical address 0x14000070c and 1 more"}),
        (miscompares(A, B), {"DIMM 0": "... at physical address 0x14000070c", "DIMM 1": "... at physical address 0x5"}),
        (miscompares(C), {PAIR: f"replace {PAIR}: memory lost what was written at physical address 0xa0000001c"}),
        # in a hole; an address outside the word; a hidden page frame; on half of all DIMMs
        (miscompares(A, 90 * GIB + 0x100), {"DIMM 0": "... at physical address 0x14000070c"}),
        (miscompares(90 * GIB + 0x100), {"a DIMM": "replace a DIMM: memory lost what was written ("}),
        (miscompares(A, off=8), {"a DIMM": ""}),
        (miscompares(0x70C), {"a DIMM": ""}),
        (miscompares(*(62 * GIB + n * GIB * 2 + 0x70C for n in range(4, 9))), {"a DIMM": ""}),
        # as recorded
        (
            said(SAT_FAIL, 1),
            {
                "DIMM 0": "... at physical address 0x10867470c",
                "DIMM 1": "... at physical address 0x486add705 and 3 more",
            },
        ),
    ],
)
def test_the_address_of_an_error_leads_to_its_dimm(output: Output, messages: dict[str, str]) -> None:
    findings = memory.judge_stressapptest("memory", Part("a DIMM"), output, LOCATED).findings
    assert {str(finding.part) for finding in findings} == set(messages)
    for finding in findings:
        assert finding.kind.name == "FAIL"
        assert finding.message.startswith(f"replace {finding.part}: memory lost what was written")
        assert messages[str(finding.part)].removeprefix("... ") in finding.message


def test_each_dimm_that_an_address_leads_to_is_named(tmp_path: Path) -> None:
    setting = Setting(machine(tmp_path), LOCATED, 100, 512 * MIB)
    [activity] = memory.plan(setting).activities
    answers = iter([miscompares(A, B), said(MEMTESTER)])
    outcome, _, _ = drive(activity(), lambda _: next(answers))
    assert {str(finding.part) for finding in outcome.findings if finding.kind.name == "FAIL"} == {"DIMM 0", "DIMM 1"}


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("0-3,8\n", [0, 1, 2, 3, 8]), ("5", [5]), ("", []), (None, []), ("0-", []), ("0-99999", []), ("a", []),
    ],
)  # fmt: skip
def test_lists_of_cpus(text: str | None, cpus: list[int]) -> None:
    assert cpu_list(text) == cpus
