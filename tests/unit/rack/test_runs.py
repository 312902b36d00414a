"""Runs: lines that come twice, late, out of order, and what they add up to."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemy.rack.records import nodes, runs, summary
from alchemy.rack.records.database import Records
from alchemy.rack.records.runs import LineError
from tests.unit.rack.samples import FAIL, HOUR, NOW, PASS, START, node, numbered, run, step

FAILURE = {"type": "FAIL", "verdict": "memory-error", "message": "DIMM A1: 3 errors"}
LINES = numbered(
    {"schemaVersion": {"major": 2, "minor": 0}},
    START,
    step("0", testStepStart={"name": "memory"}),
    step("0", diagnosis=FAILURE),
    step("0", diagnosis={"type": "PASS", "verdict": "ok"}),
    step("0", testStepEnd={"status": "COMPLETE"}),
    step("1", testStepStart={"name": "disks"}),
    FAIL,
)


def test_lines_add_up_to_a_run(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        begun = run(connection, known.id)
        assert (begun.profile, begun.resumes, begun.ended) == ("burnin", 0, None)
        found = runs.append(connection, begun.id, LINES, now=NOW + HOUR)
        assert found is not None
        assert found == runs.get(connection, begun.id)
        assert (found.status, found.result, found.ended, found.heartbeat) == (
            "COMPLETE",
            "FAIL",
            NOW + HOUR,
            NOW + HOUR,
        )
        assert found.lines == len(LINES)
        assert found.summary == {
            "steps": {
                "0": {
                    "name": "memory",
                    "status": "COMPLETE",
                    "began": "2030-01-02T03:04:05.000Z",
                    "ended": "2030-01-02T03:04:05.000Z",
                    "failures": 1,
                },
                "1": {
                    "name": "disks",
                    "status": None,
                    "began": "2030-01-02T03:04:05.000Z",
                    "ended": None,
                    "failures": 0,
                },
            },
            "planned": ["0", "1"],
            "seconds": 7200,
            "failures": [{"sequence": 3, "step": "0", "verdict": "memory-error", "message": "DIMM A1: 3 errors"}],
            "status": "COMPLETE",
            "result": "FAIL",
        }


def test_lines_come_twice_late_and_with_gaps(records: Records) -> None:
    with records.begin() as connection:
        begun = run(connection, node(connection).id)
        late, gap, rest = LINES[1:3], LINES[4:5], [*LINES[:1], *LINES[3:4], *LINES[5:]]
        for batch in (rest, rest, late, [*late, *gap, *gap], []):
            found = runs.append(connection, begun.id, batch, now=NOW)
        assert found is not None
        whole = runs.append(connection, begun.id, LINES, now=NOW)
        assert whole == found
        assert whole is not None
        total = summary.empty()
        for line in LINES:
            summary.take(total, line["sequenceNumber"], line)
        assert whole.summary == total
        assert [json.loads(line) for line in runs.lines(connection, begun.id)] == LINES
        assert [json.loads(line) for line in runs.lines(connection, begun.id, first=2, limit=3)] == LINES[2:5]


def test_a_line_that_is_there_is_not_written_again(records: Records) -> None:
    with records.begin() as connection:
        begun = run(connection, node(connection).id)
        runs.append(connection, begun.id, numbered(PASS), now=NOW)
        found = runs.append(connection, begun.id, numbered(FAIL), now=NOW)
        assert found is not None
        assert found.result == "PASS"
        assert json.loads(runs.lines(connection, begun.id)[0]) == numbered(PASS)[0]


def test_two_lines_of_one_number_in_one_call_are_one(records: Records) -> None:
    with records.begin() as connection:
        begun = run(connection, node(connection).id)
        found = runs.append(connection, begun.id, [*numbered(PASS), *numbered(FAIL)], now=NOW)
        assert found is not None
        assert (found.lines, found.result) == (1, "PASS")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("text", "lines: not a list of objects"),
        ([], "lines: not a list of objects"),
        ({}, "sequenceNumber: missing or not a whole number from 0 on"),
        ({"sequenceNumber": "1"}, "sequenceNumber: missing or not a whole number from 0 on"),
        ({"sequenceNumber": True}, "sequenceNumber: missing or not a whole number from 0 on"),
        ({"sequenceNumber": -1}, "sequenceNumber: missing or not a whole number from 0 on"),
        ({"sequenceNumber": 1 << 53}, "sequenceNumber: missing or not a whole number from 0 on"),
        ({"sequenceNumber": 1.0}, "sequenceNumber: missing or not a whole number from 0 on"),
        ({"sequenceNumber": 7, "value": float("nan")}, "line 7: not JSON: a number is not finite"),
        (
            {"sequenceNumber": 7, "value": "x" * 4194304},
            "line 7: too long (expected at most 4194304 characters, got 4194335)",
        ),
    ],
)
def test_a_line_that_is_refused_keeps_the_others_out(records: Records, line: object, message: str) -> None:
    with records.begin() as connection:
        begun = run(connection, node(connection).id)
        with pytest.raises(LineError) as caught:
            runs.append(connection, begun.id, [*LINES, line], now=NOW)
        assert str(caught.value) == message
        assert runs.lines(connection, begun.id) == []
        assert runs.get(connection, begun.id) == begun


def test_the_lines_of_a_run_are_bounded(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MOST_LINES", 3)
    with records.begin() as connection:
        begun = run(connection, node(connection).id)
        runs.append(connection, begun.id, LINES[:3], now=NOW)
        with pytest.raises(LineError, match=r"^lines: too many \(expected at most 3 "):
            runs.append(connection, begun.id, LINES, now=NOW)
        again = runs.append(connection, begun.id, LINES[:3], now=NOW)
        assert again is not None
        assert again.lines == 3


def test_a_run_that_is_none(records: Records) -> None:
    with records.begin() as connection:
        for identifier in ("7", "none"):
            assert runs.append(connection, identifier, LINES, now=NOW) is None
            assert runs.get(connection, identifier) is None
            assert runs.lines(connection, identifier) == []
            assert not runs.finish(connection, identifier, "COMPLETE", "PASS", now=NOW)


def test_another_run_abandons_the_open_one(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        first = run(connection, known.id, "b1")
        runs.append(connection, first.id, LINES[:3], now=NOW)
        second = run(connection, known.id, "b2")
        assert runs.open_of(connection, known.id) == second
        left = runs.get(connection, first.id)
        assert left is not None
        assert (left.status, left.result, left.ended) == ("ABANDONED", None, NOW)
        assert [each.id for each in runs.history(connection, known.id)] == [second.id, first.id]
        found = nodes.get(connection, known.id)
        assert found is not None
        assert found.run_id == second.id


def test_an_unproven_run_moves_nothing(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        proven = run(connection, known.id)
        forged = run(connection, known.id, "b2", proven=False)
        runs.append(connection, forged.id, numbered(PASS), now=NOW)
        assert runs.open_of(connection, known.id) == proven
        assert runs.passed(connection, known.id) is None
        found = nodes.get(connection, known.id)
        assert found is not None
        assert found.run_id == proven.id
        assert [each.id for each in runs.history(connection, known.id)] == [forged.id, proven.id]


def test_a_run_is_begun_once_when_its_answer_was_lost(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        first = run(connection, known.id)
        assert run(connection, known.id) == first
        runs.append(connection, first.id, LINES[:1], now=NOW)
        assert run(connection, known.id).id != first.id


def test_a_boot_resumes_a_run(records: Records) -> None:
    with records.begin() as connection:
        begun = run(connection, node(connection).id)
        assert [runs.resume(connection, begun.id, now=NOW + HOUR) for _ in range(2)] == [1, 2]
        found = runs.get(connection, begun.id)
        assert found is not None
        assert (found.resumes, found.heartbeat) == (2, NOW + HOUR)


@pytest.mark.parametrize(
    ("ends", "passed"),
    [
        ([], None),
        ([(PASS, True)], 0),
        ([(FAIL, True)], None),
        ([(PASS, False)], None),
        ([(PASS, True), (FAIL, True)], None),
        ([(FAIL, True), (PASS, True)], 1),
        ([(PASS, True), (FAIL, False)], 0),
        ([(PASS, True), (None, True)], 0),
    ],
)
def test_whether_the_newest_verdict_is_pass(
    records: Records, ends: list[tuple[dict[str, Any] | None, bool]], passed: int | None
) -> None:
    with records.begin() as connection:
        known = node(connection)
        begun = []
        for number, (end, proven) in enumerate(ends):
            begun.append(run(connection, known.id, f"b{number}", proven=proven).id)
            runs.append(connection, begun[-1], [] if end is None else numbered(end), now=NOW)
        found = runs.passed(connection, known.id)
        assert (None if found is None else found.id) == (None if passed is None else begun[passed])


@pytest.mark.parametrize("end", [{"status": "COMPLETE"}, {"result": "PASS"}, {}, None, {"status": 7, "result": []}])
def test_an_end_that_is_none_ends_nothing(records: Records, end: object) -> None:
    with records.begin() as connection:
        begun = run(connection, node(connection).id)
        found = runs.append(connection, begun.id, numbered({"testRunArtifact": {"testRunEnd": end}}), now=NOW)
        assert found is not None
        assert (found.ended, found.status, found.result) == (None, None, None)


_VALUE = st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
_BODY = st.dictionaries(st.sampled_from(["name", "status", "result", "type", "verdict", "parameters"]), _VALUE) | _VALUE
_STEP = st.fixed_dictionaries(
    {"testStepId": st.sampled_from(["0", "1"]) | _VALUE},
    optional=dict.fromkeys(("testStepStart", "testStepEnd", "diagnosis", "measurement"), _BODY),
)
_LINE = st.fixed_dictionaries(
    {},
    optional={
        "testStepArtifact": _STEP | _VALUE,
        "testRunArtifact": st.dictionaries(st.sampled_from(["testRunStart", "testRunEnd", "log"]), _BODY) | _VALUE,
        "timestamp": _VALUE,
    },
)


@given(lines=st.lists(_LINE, max_size=6))
def test_no_line_of_a_node_breaks_the_sum(lines: list[dict[str, Any]]) -> None:
    total = summary.empty()
    for sequence, line in enumerate(lines):
        summary.take(total, sequence, line)
    assert set(total) == set(summary.empty())
    json.dumps(total, allow_nan=False)


def test_the_order_of_lines_does_not_matter() -> None:
    chosen = [line for line in LINES if line["sequenceNumber"] in (1, 2, 3, 5, 7)]
    expected = summary.empty()
    for line in chosen:
        summary.take(expected, line["sequenceNumber"], line)
    for order in itertools.permutations(chosen):
        total = summary.empty()
        for line in order:
            summary.take(total, line["sequenceNumber"], line)
        assert total == expected
