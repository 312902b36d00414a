"""What the BMC logs, and what its sensors say."""

from __future__ import annotations

import pytest

from alchemy_node.burnin import bmc
from alchemy_node.burnin.activity import Program
from alchemy_node.burnin.parts import Part, Parts
from alchemy_node.burnin.sample import Key, Sample
from alchemy_node.processes import Output
from tests.unit.node.burnin.drive import drive, said

PARTS = Parts({("dimm", "A1"): Part("DIMM A1", "D1", "dimm-a1"), ("dimm", "B1"): Part("DIMM B1", "D2", "dimm-b1")})

ABSENT = "Could not open device at /dev/ipmi0 or /dev/ipmi/0: No such file or directory"
LOG = "1,11/28/2026,03:12:00,Event Logging Disabled #0x07,Log area reset/cleared,Asserted\n"
SENSORS = """\
CPU Temp,45,degrees C,ok
FAN1,4200.000,RPM,ok
PSU,110,Watts,ok
12V,11.9,Volts,ok
CPU Temp 2,101,degrees C,ucr
Intrusion,no reading,,ns
broken
"""


INFO = """\
SEL Information
Version          : 1.5 (v1.5, v2 compliant)
Entries          : 31
Free Space       : 15200 bytes
Percent Used     : 5%
Overflow         : false
"""


@pytest.mark.parametrize(
    ("text", "full"),
    [
        (INFO, False),
        (INFO.replace(": 5%", ": 94%"), False),
        (INFO.replace(": 5%", ": 95%"), True),
        (INFO.replace("false", "true"), True),
        ("", False),
        ("Percent Used : unknown", False),
    ],
)
def test_an_event_log_without_room_is_a_warning_before_the_start(text: str, full: bool) -> None:
    sample = bmc.fill(text)
    assert [(f.kind.name, f.verdict) for f in bmc.judge(sample, sample, PARTS)] == [("WARNING", "sel-full")] * full


def event(text: str) -> Sample:
    return bmc.events(LOG + f"2,11/28/2026,03:13:00,{text}\n")


@pytest.mark.parametrize(
    ("text", "kind", "verdict", "part"),
    [
        ("Memory A1,Correctable ECC,Asserted", "FAIL", "dimm-ce", "DIMM A1, serial D1"),
        ("Memory #0x02,Correctable ECC logging limit reached,Asserted", "FAIL", "dimm-ce", "DIMM Memory #0x02"),
        ("Memory #0x02,Uncorrectable ECC,Asserted", "FAIL", "dimm-ue", "DIMM Memory #0x02"),
        ("Memory #0x02,Uncorrectable ECC,Deasserted", "NOTE", "bmc-event", "None"),
        ("Processor CPU1,IERR,Asserted", "FAIL", "bmc-event", "mainboard"),
        ("Processor CPU1,Thermal Trip,Asserted", "FAIL", "bmc-event", "mainboard"),
        ("Power Supply PSU2,Power Supply AC lost,Asserted", "FAIL", "bmc-event", "mainboard"),
        ("Power Supply PSU2,Failure detected,Asserted", "FAIL", "bmc-event", "mainboard"),
        ("Temperature CPU,Upper Critical going high,Asserted", "FAIL", "bmc-event", "mainboard"),
        ("Fan FAN1,Lower Critical going low,Asserted", "FAIL", "bmc-event", "mainboard"),
        ("Drive Slot / Bay 3,Drive Fault,Asserted", "FAIL", "bmc-event", "mainboard"),
        ("Critical Interrupt,PCI SERR,Asserted", "FAIL", "bmc-event", "mainboard"),
        ("Temperature CPU,Upper Critical going high,Deasserted", "NOTE", "bmc-event", "None"),
        ("Event Logging Disabled,Log full,Asserted", "WARNING", "sel-full", "None"),
        ("System ACPI Power State,S0/G0: working,Asserted", "NOTE", "bmc-event", "None"),
        ("Power Unit,Power off/down,Asserted", "NOTE", "bmc-event", "None"),
    ],
)
def test_an_entry_that_comes_during_the_run(text: str, kind: str, verdict: str, part: str) -> None:
    before = bmc.events(LOG)
    assert [(f.kind.name, f.verdict, str(f.part)) for f in bmc.judge(before, event(text), PARTS)] == [
        (kind, verdict, part)
    ]
    # an entry from before the run is not a finding
    assert list(bmc.judge(event(text), event(text), PARTS)) == []


def test_a_record_number_that_is_used_again_is_a_new_entry() -> None:
    before, after = event("Fan FAN1,Fully Redundant,Asserted"), event("Processor CPU1,IERR,Asserted")
    assert [finding.kind.name for finding in bmc.judge(before, after, PARTS)] == ["FAIL"]


def test_sensors() -> None:
    sample = bmc.readings(SENSORS)
    assert sample.readings == {
        Key("sensor", "bmc", "temperature CPU Temp C"): 45,
        Key("sensor", "bmc", "fan FAN1 rpm"): 4200,
        Key("sensor", "bmc", "power PSU W"): 110,
        Key("sensor", "bmc", "voltage 12V V"): 11.9,
        Key("sensor", "bmc", "temperature CPU Temp 2 C"): 101,
    }
    [finding] = bmc.judge(Sample(), sample, PARTS)
    assert finding.message == "the BMC's sensor CPU Temp 2 is critical: check what it measures"


@pytest.mark.parametrize(
    "text", ["", "\0", "\x1b[2J\n", "x,y", "1", ",,,", '1,"unclosed\n2,a,b,c', "1," + "x" * 200_000]
)
def test_garbled_output(text: str) -> None:
    sample = bmc.events(text) | bmc.readings(text)
    assert sample.readings == {}
    assert list(bmc.judge(Sample(), sample, PARTS)) == []


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (Output(problem="not installed"), "not installed"),
        (said("", 1, f"{ABSENT}\n"), ABSENT),
        (said("", 1), "exit status 1"),
    ],
)
def test_a_machine_without_a_bmc(output: Output, why: str) -> None:
    sample, programs, _ = drive(bmc.collect(), lambda _: output)
    assert sample == Sample(missing={"bmc": why})
    assert len(programs) == 2
    assert list(bmc.judge(sample, sample, PARTS)) == []


def test_a_bmc_that_hangs_is_a_failure_and_holds_up_the_run_for_a_minute_at_most() -> None:
    hangs = Output(problem="timed out after 20 s")
    sample, programs, _ = drive(bmc.collect(), lambda _: hangs)
    assert [(f.kind.name, f.verdict, str(f.part)) for f in bmc.judge(Sample(), sample, PARTS)] == [
        ("FAIL", "bmc-silent", "BMC")
    ]
    assert sum(program.seconds for program in programs) <= 60


@pytest.mark.parametrize(
    ("stderr", "silent"),
    [
        ("No data available\nGet SEL Info command failed\n", True),  # the driver got no answer in 15 s
        ("Get SEL Info command failed: Timeout\n", True),
        ("Get SEL Info command failed: Invalid command\n", False),
        ("Could not open device at /dev/ipmi0 or /dev/ipmi/0 or /dev/ipmidev/0: No such file or directory\n", False),
    ],
)
def test_a_bmc_that_is_absent_or_refuses_is_told_from_one_that_hangs(stderr: str, silent: bool) -> None:
    sample, _, _ = drive(bmc.collect(), lambda _: said("", 1, stderr))
    verdicts = [finding.verdict for finding in bmc.judge(Sample(), sample, PARTS)]
    assert verdicts == (["bmc-silent"] if silent else [])
    assert sample.missing == {"bmc": stderr.splitlines()[-1]}


def test_a_bmc_that_is_late_once_is_no_failure() -> None:
    answers = iter([Output(problem="timed out after 20 s"), said(INFO), said(LOG), said(SENSORS)])
    sample, _, _ = drive(bmc.collect(), lambda _: next(answers))
    assert sample.missing == {}
    assert len(sample.entries) == 1


def test_a_bmc_that_answers() -> None:
    def answer(program: Program) -> Output:
        return said(INFO if "info" in program.argv else LOG if "sel" in program.argv else SENSORS)

    sample, programs, _ = drive(bmc.collect(), answer)
    assert len(sample.entries) == 1
    assert len(sample.readings) == 5
    assert all(program.seconds <= 120 and not program.load for program in programs)
