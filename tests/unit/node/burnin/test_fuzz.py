"""Records that were made up: a valid one in which any value is any other, in every output."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alchemy_node.burnin import breakin, junit, page, plain, reader, report, results, screen, status
from tests.unit.node.burnin import runs
from tests.unit.node.burnin.test_reports import hostile

EXAMPLES = int(os.environ.get("ALCHEMY_TEST_EXAMPLES", "60"))
LATER = runs.START + timedelta(hours=1)
# what a valid place takes, so that a line is often taken
WORDS = st.sampled_from(
    ["a", "b", "p", "PASS", "FAIL", "COMPLETE", "ERROR", "SKIP", "C", "series-5", "2026-11-28T03:30:00Z",
     "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "temperature", "kernel", runs.HOSTILE]
)  # fmt: skip
NUMBERS = st.one_of(st.integers(), st.floats(), st.just(10**400), st.just(-(10**400)), st.booleans())
VALUES = st.recursive(
    st.none() | NUMBERS | WORDS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("runs")
    made = []
    for index, make in enumerate((runs.passed, runs.failed, hostile)):
        path = folder / f"{index}.jsonl"
        make(path).close()
        made.append([json.loads(line) for line in path.read_text(encoding="ascii").splitlines()])
    return made


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yields each container with each of its keys."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


@pytest.mark.parametrize("huge", [10**400, -(10**400), 1e308, float("nan"), float("inf"), True, "x", None, [], {}])
def test_huge_numbers_break_no_output(lines: list[Any], huge: object) -> None:
    for changed in copy.deepcopy(lines):
        for container, key in list(places(changed)):
            if key in {"value", "seconds", "totalCount", "index"}:
                container[key] = huge
        check(changed)


@settings(
    max_examples=int(os.environ.get("ALCHEMY_TEST_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_no_record_breaks_an_output(lines: list[Any], data: st.DataObject) -> None:
    changed = copy.deepcopy(data.draw(st.sampled_from(lines)))
    for _ in range(data.draw(st.integers(1, 4))):
        container, key = data.draw(st.sampled_from(list(places(changed))))
        container[key] = data.draw(VALUES)
    check(changed)


def check(changed: list[Any]) -> None:
    run = reader.fold(json.dumps(line).encode("utf-8", "surrogatepass") + b"\n" for line in changed)
    fromstring(junit.text(run).encode("utf-8"))  # noqa: S314 - our own document
    for text in (report.text(run), page.text(run), breakin.text(run), status.text(run, LATER, alive=False)):
        assert all(character == "\n" or character.isprintable() for character in text)
    shown = screen.lines(run, LATER)
    assert len(shown) == screen.ROWS
    assert all(len(line) <= screen.COLUMNS and line.isascii() for line in shown)
    plain.Lines().update(run, LATER)
    json.dumps([status.document(run, Path("x"), LATER, alive=True), results.entry(run)], allow_nan=False)
    assert all(isinstance(value, str) for value in results.attributes(run).values())
