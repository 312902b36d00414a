"""The record of a run: its lines, what it refuses, a full disk, a resume."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from alchemy_node.burnin import ocp, reader
from alchemy_node.burnin.model import FormatError
from alchemy_node.burnin.ocp import Hardware, Validator
from alchemy_node.burnin.record import Record, RecordError
from alchemy_node.burnin.store import LineStore
from tests import ocp as format_of_ocp
from tests.unit.node.burnin import runs


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


@pytest.mark.parametrize("run", [runs.passed, runs.failed])
def test_every_line_is_of_the_format(path: Path, run: Callable[[Path], Record]) -> None:
    run(path).close()
    lines = format_of_ocp.validate(path.read_text(encoding="ascii"))
    assert len(lines) > 8


def test_hostile_text_is_recorded_as_valid_json_in_plain_ascii(path: Path) -> None:
    record = Record(path, runs.Clock())
    part = Hardware(runs.HOSTILE, runs.HOSTILE * 100, serial_number=runs.HOSTILE)
    record.run_start(
        version=runs.HOSTILE,
        command_line=runs.HOSTILE * 1000,
        parameters={runs.HOSTILE: runs.HOSTILE},
        machine=runs.HOSTILE,
        hardware=[part],
    )
    record.step_start("a", runs.HOSTILE)
    record.measurement("a", runs.HOSTILE, runs.HOSTILE * 1000, runs.HOSTILE, runs.HOSTILE)
    record.diagnosis("a", runs.HOSTILE, "FAIL", runs.HOSTILE * 1000, runs.HOSTILE)
    record.error(runs.HOSTILE, runs.HOSTILE * 1000, "a")
    record.log("INFO", runs.HOSTILE * 1000)
    record.step_end("a", "ERROR")
    record.run_end("COMPLETE", "FAIL")
    record.close()
    text = path.read_text(encoding="ascii")
    assert all(character == "\n" or " " <= character <= "~" for character in text)
    assert "\\udcff" not in text
    format_of_ocp.validate(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_json_lacks_is_recorded_as_a_word(path: Path, value: float) -> None:
    record = runs.begin(path)
    record.step_start("a", "a")
    record.measurement("a", "sensor", value, validators=[Validator("LESS_THAN", value)])
    record.series("a", "sensor").add(value)
    record.close()
    lines = format_of_ocp.validate(path.read_text(encoding="ascii"), ended=False)
    assert lines[-1]["testStepArtifact"]["measurementSeriesElement"]["value"] == str(value)


ILLEGAL: list[tuple[str, Callable[[Record], object]]] = [
    ("run_end: COMPLETE cannot have the result NOT_APPLICABLE", lambda r: r.run_end("COMPLETE", "NOT_APPLICABLE")),
    ("run_end: ERROR cannot have the result PASS", lambda r: r.run_end("ERROR", "PASS")),
    ("run_end: ERROR cannot have the result FAIL", lambda r: r.run_end("ERROR", "FAIL")),
    ("run_end: SKIP cannot have the result PASS", lambda r: r.run_end("SKIP", "PASS")),
    ("run_end: open has not ended", lambda r: r.run_end("COMPLETE", "PASS")),
    ("step_start: ended has already ended", lambda r: r.step_start("ended", "again")),
    ("ended: not an open step", lambda r: r.step_end("ended", "COMPLETE")),
    ("unknown: not an open step", lambda r: r.measurement("unknown", "x", 1)),
    ("ended: not an open step", lambda r: r.diagnosis("ended", "x", "PASS", "")),
    ("unknown: not an open step", lambda r: r.log("INFO", "x", "unknown")),
    ("hardware: 'dimm-b9' was not listed", lambda r: r.measurement("open", "x", 1, hardware="dimm-b9")),
    ("hardware: 'dimm-b9' was not listed", lambda r: r.diagnosis("open", "x", "FAIL", "", "dimm-b9")),
    ("diagnosis: unknown type (BAD)", lambda r: r.diagnosis("open", "x", "BAD", "")),  # type: ignore[arg-type]
    ("log: unknown severity (LOUD)", lambda r: r.log("LOUD", "x")),  # type: ignore[arg-type]
    ("step_end: unknown status (DONE)", lambda r: r.step_end("open", "DONE")),  # type: ignore[arg-type]
    (
        "run_start: the run has already started",
        lambda r: r.run_start(version="", command_line="", parameters={}, machine=""),
    ),
]


@pytest.mark.parametrize(("message", "call"), ILLEGAL)
def test_an_illegal_call_is_refused_and_writes_nothing(
    path: Path, message: str, call: Callable[[Record], object]
) -> None:
    record = runs.begin(path)
    record.step_start("ended", "ended")
    record.step_end("ended", "COMPLETE")
    record.step_start("open", "open")
    before = path.read_bytes()
    with pytest.raises(RecordError) as caught:
        call(record)
    assert message in str(caught.value)
    assert path.read_bytes() == before


def test_nothing_is_written_before_the_start_or_after_the_end(path: Path) -> None:
    with pytest.raises(RecordError, match="the run has not started"):
        Record(path, runs.Clock()).step_start("a", "a")
    path.unlink()
    record = runs.passed(path)
    with pytest.raises(RecordError, match="the run has ended"):
        record.log("INFO", "late")
    with pytest.raises(RecordError, match="the run has ended"):
        record.run_end("COMPLETE", "PASS")


def _fail(record: Record) -> None:
    record.step_start("a", "a")
    record.diagnosis("a", "dimm-ce", "FAIL", "", "dimm-a1")
    record.error("tool-missing", "no stressapptest", "a")
    record.step_end("a", "ERROR")


def _error(record: Record) -> None:
    record.step_start("a", "a")
    record.diagnosis("a", "cpu-verified", "PASS", "")
    record.error("out-of-memory", "stress-ng was killed", "a")
    record.step_end("a", "COMPLETE")


def _stuck(record: Record) -> None:
    record.step_start("a", "a")
    record.diagnosis("a", "cpu-verified", "PASS", "")
    record.step_end("a", "COMPLETE")
    record.step_start("b", "b")
    record.step_end("b", "ERROR")


def _skipped(record: Record) -> None:
    record.step_start("a", "a")
    record.step_end("a", "SKIP")


def _unjudged(record: Record) -> None:
    record.step_start("a", "a")
    record.diagnosis("a", "edac-absent", "UNKNOWN", "no EDAC driver")
    record.step_end("a", "COMPLETE")


def _pass(record: Record) -> None:
    record.step_start("a", "a")
    record.diagnosis("a", "cpu-verified", "PASS", "")
    record.diagnosis("a", "edac-absent", "UNKNOWN", "no EDAC driver")
    record.step_end("a", "COMPLETE")


def _nothing(_: Record) -> None:
    pass


@pytest.mark.parametrize(
    ("write", "end"),
    [
        (_fail, ("COMPLETE", "FAIL")),
        (_error, ("ERROR", "NOT_APPLICABLE")),
        (_stuck, ("ERROR", "NOT_APPLICABLE")),
        (_skipped, ("ERROR", "NOT_APPLICABLE")),
        (_unjudged, ("ERROR", "NOT_APPLICABLE")),
        (_nothing, ("ERROR", "NOT_APPLICABLE")),
        (_pass, ("COMPLETE", "PASS")),
    ],
)
def test_the_end_follows_from_the_lines(path: Path, write: Callable[[Record], None], end: tuple[str, str]) -> None:
    record = runs.begin(path)
    write(record)
    assert record.outcome() == end
    if end != ("COMPLETE", "PASS"):
        with pytest.raises(RecordError, match="contradicts the record"):
            record.run_end("COMPLETE", "PASS")
    if end == ("COMPLETE", "FAIL"):
        with pytest.raises(RecordError, match="contradicts the record"):
            record.run_end("SKIP", "NOT_APPLICABLE")
    record.run_end(*record.outcome())
    format_of_ocp.validate(path.read_text(encoding="ascii"))


def test_a_record_goes_on_after_a_crash(path: Path) -> None:
    record = runs.begin(path)
    record.step_start("memory", "memory")
    record.series("memory", "temperature").add(40)
    record.close()
    with path.open("ab") as stream:
        stream.write(b'{"testStepArtifact":{"testStepId":"memory","diagno')
    record = Record(path, runs.Clock())
    record.step_start("memory", "memory")
    record.series("memory", "temperature").add(41)
    record.diagnosis("memory", "unexpected-reset", "FAIL", "reset during memory")
    record.step_end("memory", "COMPLETE")
    record.run_end(*record.outcome())
    record.close()
    lines = format_of_ocp.validate(path.read_text(encoding="ascii"))
    assert sum("testStepStart" in line.get("testStepArtifact", {}) for line in lines) == 1
    assert reader.read(path).result == "FAIL"


def test_threads_share_a_record(path: Path) -> None:
    record = runs.begin(path)

    def step(name: str) -> None:
        record.step_start(name, name)
        series = record.series(name, "load")
        for value in range(50):
            series.add(value)
        record.step_end(name, "COMPLETE")

    threads = [threading.Thread(target=step, args=(f"step-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    format_of_ocp.validate(path.read_text(encoding="ascii"), ended=False)


class FullDisk:
    """Stands in for os.pwrite: it takes so many bytes, and then the disk is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = 1 << 30
        self._real = os.pwrite
        monkeypatch.setattr(os, "pwrite", self)

    def __call__(self, file: int, data: bytes, offset: int) -> int:
        if not self.room:
            raise OSError(28, "No space left on device")
        written = self._real(file, data[: self.room], offset)
        self.room -= written
        return written


@pytest.mark.parametrize("room", [0, 1, 100, 250])
def test_a_full_disk_does_not_stop_the_run_and_is_said(path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    disk = FullDisk(monkeypatch)
    record = runs.begin(path)
    disk.room = room
    record.step_start("a", "a")
    record.diagnosis("a", "x", "PASS", "")
    record.step_end("a", "COMPLETE")
    assert path.read_bytes().endswith(b"\n")
    assert any("the disk with the log is full" in message.message for message in record.run.messages)
    format_of_ocp.validate(record.lines(0, 1 << 20).decode("ascii"), ended=False)
    disk.room = 1 << 30
    record.run_end("COMPLETE", "PASS")
    text = path.read_text(encoding="ascii")
    assert "has room again; measurements lost: 0" in text or "has room again" not in text
    format_of_ocp.validate(text)
    assert record.lines(0, 1 << 20) == path.read_bytes()


def test_memory_is_bounded_while_the_disk_is_full_and_no_diagnosis_is_lost(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)
    store = LineStore(path, most_pending=100)
    disk.room = 0
    kept = [store.append(b"x" * 39 + b"\n", droppable=True) for _ in range(10)]
    assert kept == [True] * 2 + [False] * 8
    assert store.append(b"diagnosis\n")
    assert store.full
    disk.room = 1 << 20
    assert store.append(b"last\n", droppable=True)
    assert not store.full
    assert path.read_bytes() == (b"x" * 39 + b"\n") * 2 + b"diagnosis\nlast\n"


@pytest.mark.parametrize("most", [1, 5, 6, 11, 100])
def test_a_stream_is_read_in_whole_lines_at_any_size(path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    disk = FullDisk(monkeypatch)
    store = LineStore(path)
    lines = [b"one\n", b"three\n", b"five\n", b"seven\n"]
    for number, line in enumerate(lines):
        disk.room = 1 << 20 if number < 2 else 0
        store.append(line)
    got = b""
    while chunk := store.read(len(got), most):
        assert chunk.endswith(b"\n")
        got += chunk
    assert got == b"".join(lines)


def test_a_link_in_place_of_the_record_is_refused(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        Record(path)


def test_a_time_is_written_in_utc_with_z() -> None:
    assert ocp.timestamp(runs.START) == "2026-11-28T03:30:00.000Z"


def test_the_schema_refuses_what_others_accept() -> None:
    bad = [
        '{"sequenceNumber":0,"timestamp":"2026-11-28T03:30:00.000Z"}',
        '{"schemaVersion":{"major":2,"minor":0},"sequenceNumber":0,"timestamp":"2026-11-28T03:30:00.000"}',
        '{"schemaVersion":{"major":2,"minor":0},"sequenceNumber":-1,"timestamp":"2026-11-28T03:30:00.000Z"}',
        '{"testRunArtifact":{"testRunEnd":{"status":"ERROR","result":"PASS"}},"sequenceNumber":1,'
        '"timestamp":"2026-11-28T03:30:00.000Z"}',
        '{"testStepArtifact":{"testStepId":"a","measurement":{"name":"x","value":1,"unit":null}},"sequenceNumber":1,'
        '"timestamp":"2026-11-28T03:30:00.000Z"}',
    ]
    for line in bad:
        assert format_of_ocp.problems(json.loads(line))


def test_the_reader_and_the_schema_agree_on_ends(path: Path) -> None:
    record = runs.begin(path)
    for status in ("COMPLETE", "ERROR", "SKIP"):
        for result in ("PASS", "FAIL", "NOT_APPLICABLE"):
            line = {
                "testRunArtifact": {"testRunEnd": {"status": status, "result": result}},
                "sequenceNumber": 99,
                "timestamp": "2026-11-28T03:30:00.000Z",
            }
            if format_of_ocp.problems(line):
                with pytest.raises(FormatError):
                    record.run.take(line)
            else:
                assert (status, result) in ocp.ENDS
