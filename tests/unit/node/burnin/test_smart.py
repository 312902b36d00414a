"""What disks say of themselves, and the self-tests they run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from alchemy_node.burnin import smart
from alchemy_node.burnin.activity import Program
from alchemy_node.burnin.parts import Part
from alchemy_node.burnin.sample import Key
from alchemy_node.processes import Output
from tests import recorded
from tests.unit.node.burnin.drive import drive, said

DISK = Part("disk sda", "S1", "disk-sda")


def tool(machine: str, name: str) -> str:
    return (recorded.MACHINES / machine / "tools" / name).read_text(encoding="utf-8")


def test_an_ata_disk() -> None:
    sample = smart.sample("sda", smart.parse(tool("supermicro-ssg-6029p-2020", "smartctl -x -j %2Fdev%2Fsda")))
    assert sample.counters == {
        Key("disk", "sda", name): 0
        for name in ("error_log", "reallocated", "uncorrectable", "pending", "offline_uncorrectable", "link_errors")
    }
    assert sample.states == {Key("disk", "sda", "health"): "passed"}
    assert [key.name for key in sample.readings] == ["temperature C"]


def test_an_nvme_disk() -> None:
    sample = smart.sample("nvme0", smart.parse(tool("dell-r7625-2023", "smartctl -x -j %2Fdev%2Fnvme0")))
    assert {key.name: value for key, value in sample.counters.items()} == {
        "media_errors": 0,
        "error_entries": sample.counters[Key("disk", "nvme0", "error_entries")],
        "used_percent": 2,
    }
    assert sample.states[Key("disk", "nvme0", "critical_warning")] == "0"


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", '"x"', "[" * 100_000, '{"smart_status": {"passed": "yes"}}', '{"smart_status": []}',
        '{"ata_smart_attributes": {"table": [7, {"id": 5}, {"id": "5"}, {"id": 5, "raw": {"value": -1}}]}}',
        '{"nvme_smart_health_information_log": {"media_errors": 1e400, "critical_warning": true}}',
        '{"temperature": {"current": "hot"}}',
    ],
)  # fmt: skip
def test_garbled_output(text: str) -> None:
    sample = smart.sample("sda", smart.parse(text))
    assert (sample.counters, sample.states, sample.readings) == ({}, {}, {})
    assert sample.missing == {"smart sda": "gives no SMART health"}


def test_a_disk_that_does_not_answer_is_missing() -> None:
    sample, programs, _ = drive(smart.collect({"sda": ("/dev/sda",)}), lambda _: Output(problem="timed out after 60 s"))
    assert sample.missing == {"smart sda": "timed out after 60 s"}
    assert [program.argv for program in programs] == [("smartctl", "-x", "-j", "/dev/sda")]


def ata(status: int, text: str = "said so") -> dict[str, Any]:
    test = {"status": {"value": status, "string": text}}
    return {"ata_smart_data": {"capabilities": {"self_tests_supported": True}, "self_test": test}}


def nvme(current: int, result: int | None) -> dict[str, Any]:
    table = [] if result is None else [{"self_test_result": {"value": result, "string": "said so"}}]
    return {"nvme_self_test_log": {"current_self_test_operation": {"value": current}, "table": table}}


def sas(result: int) -> dict[str, Any]:
    return {"device": {"protocol": "SCSI"}, "scsi_self_test_0": {"result": {"value": result, "string": "said so"}}}


@pytest.mark.parametrize(
    ("logs", "kind", "verdict"),
    [
        ([ata(0), ata(0xF9), ata(0xF1), ata(0)], "PASS", "self-test"),
        ([ata(0), ata(0xF9), ata(0x79)], "FAIL", "self-test-failed"),
        ([ata(0), ata(0xF9), ata(0x19)], "UNKNOWN", "self-test-cut-off"),
        # an earlier phase has started it
        ([ata(0xF9), ata(0xF1), ata(0)], "PASS", "self-test"),
        ([ata(0xF9)] * 20, "UNKNOWN", "self-test-unfinished"),
        ([ata(0)] + [ata(0xF9)] * 20, "UNKNOWN", "self-test-unfinished"),
        ([nvme(0, None), nvme(1, None), nvme(0, 0)], "PASS", "self-test"),
        ([nvme(0, 0), nvme(1, 0), nvme(0, 7)], "FAIL", "self-test-failed"),
        ([nvme(0, 0), nvme(1, 0), nvme(0, 1)], "UNKNOWN", "self-test-cut-off"),
        ([nvme(0, 0), nvme(1, 0), nvme(0, None)], "UNKNOWN", "self-test-cut-off"),
        ([sas(0), sas(15), sas(0)], "PASS", "self-test"),
        ([sas(0), sas(15), sas(5)], "FAIL", "self-test-failed"),
        ([sas(0), sas(15), sas(2)], "UNKNOWN", "self-test-cut-off"),
        ([{}], "NOTE", "self-test-absent"),
        ([ata(0)] + [{}] * 20, "UNKNOWN", "self-test-unfinished"),
    ],
)
def test_self_tests(logs: list[dict[str, Any]], kind: str, verdict: str) -> None:
    answers: Iterator[dict[str, Any]] = iter(logs)

    def answer(program: Program) -> Output:
        return said("{}") if "-t" in program.argv else said(json.dumps(next(answers)))

    outcome, programs, _ = drive(smart.self_test("/dev/sda", "short", DISK, 600, 60), answer)
    [finding] = outcome.findings
    assert (finding.kind.name, finding.verdict, finding.part) == (kind, verdict, DISK)
    assert all(program.argv[0] == "smartctl" for program in programs)


@pytest.mark.parametrize("started", [Output(problem="timed out after 30 s"), said("", 1), said("", 2)])
def test_a_self_test_that_does_not_start_is_no_failure(started: Output) -> None:
    def answer(program: Program) -> Output:
        return started if "-t" in program.argv else said(json.dumps(ata(0)))

    outcome, _, waited = drive(smart.self_test("/dev/sda", "long", DISK, 600, 60), answer)
    assert [finding.verdict for finding in outcome.findings] == ["self-test-not-started"]
    assert waited == 0
