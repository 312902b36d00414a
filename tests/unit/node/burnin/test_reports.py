"""What is made of a record: one page of text, JUnit, a page of HTML; hostile text in each of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest
from junitparser import JUnitXml, TestSuite

from alchemy_node.burnin import charts, findings, junit, page, reader, report
from alchemy_node.burnin.charts import Line
from alchemy_node.burnin.model import Run
from alchemy_node.burnin.ocp import Hardware
from alchemy_node.burnin.record import Record
from alchemy_node.burnin.series import MOST_POINTS, Point, Series, merged
from tests.unit.node.burnin import runs


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def unfinished(path: Path) -> Record:
    record = runs.begin(path)
    record.step_start("cpu", "cpu")
    return record


def empty(path: Path) -> Record:
    return Record(path, runs.Clock())


def erroneous(path: Path) -> Record:
    record = runs.begin(path)
    record.step_start("memory", "memory")
    record.error("out-of-memory", "stressapptest was killed", "memory")
    record.step_end("memory", "ERROR")
    record.run_end("ERROR", "NOT_APPLICABLE")
    return record


def hostile(path: Path) -> Record:
    record = Record(path, runs.Clock())
    text = runs.HOSTILE
    part = Hardware("p", text, text, text, text, text, text, text)
    record.run_start(
        version=text, command_line=text, parameters={text: text}, machine=text, hardware=[part], software=[runs.BIOS]
    )
    record.step_start("a", text)
    record.measurement("a", text, text, text, "p")
    record.series("a", text, text, "p").add(3)
    record.diagnosis("a", text, "UNKNOWN", text)
    record.diagnosis("a", text, "FAIL", text, "p")
    record.diagnosis("a", text, "FAIL", text)
    record.error(text, text, "a")
    record.log("WARNING", text)
    record.step_end("a", "ERROR")
    record.step_start("b", text)
    record.log("INFO", text, "b")
    record.step_end("b", "SKIP")
    record.run_end("COMPLETE", "FAIL")
    return record


RECORDS = [runs.passed, runs.failed, unfinished, empty, erroneous, hostile]


def parsed(run: Run) -> Element:
    return fromstring(junit.text(run).encode("utf-8"))  # noqa: S314 - our own document


def test_a_report_names_machine_verdict_part_and_what_was_skipped(path: Path) -> None:
    lines = report.text(runs.failed(path).run).splitlines()
    assert lines[0].startswith("Alchemy burn-in")
    assert lines[0].endswith("FAIL")
    assert "machine   asset-1" in lines
    assert "  DIMM A1, serial 00AB, Example EX-32G" in lines
    assert "    - memory: replace DIMM A1, serial 00AB: 3 corrected errors" in lines
    assert any(re.fullmatch(r"  SKIP +2 s  network: no partner was found", line) for line in lines)
    assert any(re.fullmatch(r"  FAIL +3 s  memory: replace DIMM A1.*", line) for line in lines)


@pytest.mark.parametrize(
    ("make", "verdict", "sentence"),
    [
        (runs.passed, "PASS", "PASS: every step that ran"),
        (runs.failed, "FAIL", "FAIL: 1 check failed"),
        (unfinished, "RUNNING", "RUNNING: the record has no end. Open steps: cpu."),
        (empty, "RUNNING", "Open steps: none"),
        (erroneous, "ERROR", "ERROR: nothing was proven."),
    ],
)
def test_a_verdict_is_a_sentence(path: Path, make: Callable[[Path], Record], verdict: str, sentence: str) -> None:
    run = make(path).run
    assert findings.verdict(run) == verdict
    assert sentence in report.text(run)


@pytest.mark.parametrize("make", RECORDS)
def test_a_report_is_one_page_of_printable_text(path: Path, make: Callable[[Path], Record]) -> None:
    text = report.text(make(path).run)
    assert all(character == "\n" or character.isprintable() for character in text)
    assert len(text.splitlines()) <= 60
    assert max(map(len, text.splitlines())) <= report.WIDTH


def test_a_report_of_a_broken_machine_is_still_one_page(path: Path) -> None:
    record = Record(path, runs.Clock())
    parts = [Hardware(f"p{number}", f"DIMM {number}") for number in range(64)]
    record.run_start(version="1", command_line="", parameters={}, machine="m", hardware=parts)
    for number in range(64):
        record.step_start(f"s{number}", f"step {number}")
        record.series(f"s{number}", f"sensor {number}").add(1)
        record.diagnosis(f"s{number}", "unproven", "UNKNOWN", f"word {number} " * 100)
        for part in parts:
            record.diagnosis(f"s{number}", "dimm-ce", "FAIL", "word " * 100, part.id)
        record.error("tool", f"word {number} " * 100, f"s{number}")
        record.step_end(f"s{number}", "COMPLETE")
    lines = report.text(record.run).splitlines()
    assert len(lines) <= 90
    assert "  … and 58 more, in run.jsonl" in lines


@pytest.mark.parametrize("make", RECORDS)
def test_junit_is_well_formed_and_counts_right(path: Path, make: Callable[[Path], Record]) -> None:
    root = parsed(make(path).run)
    for count, element in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(root.get(count, "-1")) == len(list(root.iter(element)))
        for suite in root.iter("testsuite"):
            assert int(suite.get(count, "-1")) == len(list(suite.iter(element)))


@pytest.mark.parametrize(
    ("make", "counts"),
    [
        (runs.passed, {"tests": 1, "failures": 0, "errors": 0, "skipped": 0}),
        (runs.failed, {"tests": 2, "failures": 1, "errors": 0, "skipped": 1}),
        (unfinished, {"tests": 2, "failures": 0, "errors": 2, "skipped": 0}),
        (empty, {"tests": 1, "failures": 0, "errors": 1, "skipped": 0}),
        (erroneous, {"tests": 3, "failures": 0, "errors": 3, "skipped": 0}),
    ],
)
def test_a_run_without_a_verdict_is_red_in_junit(
    path: Path, make: Callable[[Path], Record], counts: dict[str, int]
) -> None:
    root = parsed(make(path).run)
    assert {name: int(root.get(name, "-1")) for name in counts} == counts


@pytest.mark.parametrize("make", RECORDS)
def test_a_stock_parser_reads_junit(path: Path, make: Callable[[Path], Record]) -> None:
    run = make(path).run
    document = JUnitXml.fromstring(junit.text(run).encode("utf-8"))
    suites = [suite for suite in document if isinstance(suite, TestSuite)]
    failed = [case for suite in suites for case in suite if case.is_failure]
    assert len(failed) == document.failures == run.failures
    assert document.time == pytest.approx(run.active, abs=0.001)
    red = bool(document.failures or document.errors)
    assert red is (findings.verdict(run) != "PASS")


def test_junit_has_measurements_and_the_part(path: Path) -> None:
    root = parsed(runs.failed(path).run)
    entry = root.find("testsuite/properties/property")
    assert entry is not None
    assert entry.attrib == {"name": "edac-ce-delta.dimm-a1", "value": "3 errors"}
    case = root.find("testsuite/testcase")
    assert case is not None
    assert case.get("name") == "dimm-ce DIMM A1"


def test_steps_of_one_name_are_told_apart(path: Path) -> None:
    record = runs.begin(path)
    for number in (1, 2):
        record.step_start(f"{number}-cpu", "cpu")
        record.step_end(f"{number}-cpu", "SKIP")
    suites = parsed(record.run).findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["cpu", "cpu 2", "run"]


class Tags(HTMLParser):
    """Collects tags and attributes, and refuses a tag that is closed in the wrong place."""

    void = frozenset({"meta", "rect", "line"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.void:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("make", RECORDS)
def test_a_page_is_well_formed_and_has_nothing_that_acts(path: Path, make: Callable[[Path], Record]) -> None:
    text = page.text(make(path).run)
    tags = Tags()
    tags.feed(text)
    tags.close()
    assert tags.open == []
    names = {tag for tag, _ in tags.seen}
    assert names.isdisjoint({"script", "img", "a", "iframe", "link", "form", "object"})
    attributes = {name for _, attributes in tags.seen for name in attributes}
    assert not any(name.startswith("on") or name in {"src", "href", "style"} for name in attributes)
    assert all(character == "\n" or character.isprintable() for character in text)
    assert "default-src 'none'" in text


def test_a_page_charts_every_series_and_marks_failures(path: Path) -> None:
    record = runs.begin(path)
    record.step_start("memory", "memory")
    series = record.series("memory", "temperature", "°C", "dimm-a1")
    for value in (40, 55, 70):
        series.add(value)
    record.diagnosis("memory", "dimm-ce", "FAIL", "3 corrected errors", "dimm-a1")
    record.step_end("memory", "COMPLETE")
    record.run_end(*record.outcome())
    tags = Tags()
    tags.feed(page.text(record.run))
    figures = [attributes["aria-label"] for tag, attributes in tags.seen if tag == "svg" and "role" in attributes]
    assert figures == ["temperatures, °C", "failures so far"]
    assert [attributes["class"] for tag, attributes in tags.seen if tag == "line"].count("mark") == 2
    assert "DIMM A1 temperature (max 70)" in tags.words


@pytest.mark.parametrize(
    "values",
    [[0.0], [5.0, 5.0], [-3.0, 4.0], [1e308, -1e308], [1e308], [-1e308], [0.0, -1e308], [1e-300, 2e-300], [0.1, 1e6]],
)
def test_a_chart_of_any_values_stays_in_its_frame(values: list[float]) -> None:
    points = [Point(runs.START + timedelta(seconds=number), value, value) for number, value in enumerate(values)]
    figure = charts.chart("t", "", [Line("l", points)], [], [])
    coordinates = re.search(r'polygon points="([^"]*)"', figure)
    assert coordinates is not None
    for pair in coordinates[1].split():
        x, y = map(float, pair.split(","))
        assert 0 <= x <= charts.WIDTH
        assert 0 <= y <= charts.HEIGHT


def test_a_long_series_keeps_its_extremes_in_bounded_memory() -> None:
    series = Series("s", "a", "temperature", None, None)
    for number in range(10_000):
        series.add(runs.START + timedelta(minutes=number), 99.0 if number == 4321 else 40.0 + number % 2)
    fewer = merged(series.points, 50)
    assert len(fewer) <= 50
    assert max(point.high for point in fewer) == 99.0
    assert min(point.low for point in fewer) == 40.0
    assert merged(series.points, MOST_POINTS) == series.points
    series.add(runs.START, float("nan"))
    assert series.count == 10_001
    assert len(series.points) <= MOST_POINTS
    assert (series.low, series.high) == (40, 99)
    assert [point.moment for point in series.points] == sorted(point.moment for point in series.points)


@pytest.mark.parametrize("make", [runs.failed, hostile])
def test_a_record_cut_anywhere_is_read_and_reported(path: Path, make: Callable[[Path], Record]) -> None:
    make(path).close()
    data = path.read_bytes()
    whole = reader.read(path)
    verdicts = set()
    for end in range(len(data)):
        run = reader.fold(data[:end].splitlines(keepends=True))
        assert run.garbled <= 1
        assert run.next_sequence <= whole.next_sequence
        verdicts.add(findings.verdict(run))
        if end % 97 == 0:
            check_every_output(run)
    # a FAIL that was recorded stays one without the end, and nothing that was cut off passes
    assert verdicts == {"RUNNING", "FAIL"}


def check_every_output(run: Run) -> None:
    assert report.text(run)
    parsed(run)
    Tags().feed(page.text(run))


def test_a_byte_changed_anywhere_never_makes_a_pass_of_a_fail(path: Path) -> None:
    runs.failed(path).close()
    data = path.read_bytes()
    for place in range(0, len(data), 3):
        for byte in (0, 0x7B, 0x30, 0xFF):
            changed = data[:place] + bytes([byte]) + data[place + 1 :]
            assert findings.verdict(reader.fold(changed.splitlines(keepends=True))) != "PASS"


GARBLED = [
    b"",
    b"\n",
    b"null\n",
    b"[]\n",
    b"{}\n",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"\xff\xfe\x00",
    b'{"sequenceNumber":0,"timestamp":"2026-11-28T03:30:00"}\n',
    b'{"sequenceNumber":0,"timestamp":"9999-12-31T23:59:59-12:00","schemaVersion":{"major":2,"minor":0}}\n',
    b'{"sequenceNumber":true,"timestamp":"2026-11-28T03:30:00Z","schemaVersion":{"major":2,"minor":0}}\n',
    b'{"sequenceNumber":0,"timestamp":"2026-11-28T03:30:00Z","schemaVersion":{"major":3,"minor":0}}\n',
    b'{"sequenceNumber":' + b"9" * 5000 + b',"timestamp":"2026-11-28T03:30:00Z"}\n',
    b'{"sequenceNumber":0,"timestamp":"2026-11-28T03:30:00Z","testRunArtifact":{"testRunStart":[]}}\n',
    b'{"sequenceNumber":0,"timestamp":"2026-11-28T03:30:00Z","testStepArtifact":{"testStepId":"a","log":{}}}\n',
]


@pytest.mark.parametrize("data", GARBLED)
def test_a_garbled_record_is_counted_and_reported(data: bytes) -> None:
    run = reader.fold(data.splitlines(keepends=True))
    assert run.next_sequence == 0
    assert run.garbled == len(data.splitlines())
    assert findings.verdict(run) == "RUNNING"
    check_every_output(run)


def test_lines_that_came_twice_are_left_out(path: Path) -> None:
    runs.failed(path).close()
    lines = path.read_bytes().splitlines(keepends=True)
    run = reader.fold([*lines, *lines[3:6]])
    assert run.garbled == 3
    assert len(run.diagnoses) == 1
