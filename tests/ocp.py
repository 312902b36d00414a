"""Validates a burn-in's lines: each by the schema, and all of them by what a schema cannot say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

_SCHEMA = json.loads(Path(__file__).with_name("ocp.schema.json").read_text(encoding="utf-8"))
Draft202012Validator.check_schema(_SCHEMA)
_VALIDATOR = Draft202012Validator(_SCHEMA)


def validate(text: str, *, ended: bool = True) -> list[dict[str, Any]]:
    """Returns the lines of a run; fails the test that asks when one of them is not of the format."""
    assert text.endswith("\n")
    lines = [json.loads(line, parse_constant=_refuse) for line in text.splitlines()]
    for line in lines:
        problems = [f"{error.json_path}: {error.message}" for error in _VALIDATOR.iter_errors(line)]
        assert not problems, f"{line}: {problems}"
    assert [line["sequenceNumber"] for line in lines] == list(range(len(lines)))
    assert "schemaVersion" in lines[0]
    ends = [line for line in lines if "testRunEnd" in line.get("testRunArtifact", {})]
    assert ends == ([lines[-1]] if ended else [])
    _check_references(lines)
    return lines


def problems(line: object) -> list[str]:
    """Returns what the schema says against a line."""
    return [error.message for error in _VALIDATOR.iter_errors(line)]


def _check_references(lines: list[dict[str, Any]]) -> None:
    """Every part was listed at the start, and what belongs to a step or a series lies between its start and its end."""
    parts: set[str] = set()
    opened: set[str] = set()
    closed: set[str] = set()
    counts: dict[str, int] = {}
    for line in lines:
        start = line.get("testRunArtifact", {}).get("testRunStart")
        if start is not None:
            parts = {part["hardwareInfoId"] for part in start["dutInfo"].get("hardwareInfos", [])}
        step = line.get("testStepArtifact")
        if step is None:
            continue
        if "testStepStart" in step:
            assert step["testStepId"] not in opened
            opened.add(step["testStepId"])
        assert step["testStepId"] in opened - closed, line
        if "testStepEnd" in step:
            closed.add(step["testStepId"])
        for body in step.values():
            if isinstance(body, dict) and "hardwareInfoId" in body:
                assert body["hardwareInfoId"] in parts, line
        _check_series(step, counts)


def _check_series(step: dict[str, Any], counts: dict[str, int]) -> None:
    if "measurementSeriesStart" in step:
        identifier = step["measurementSeriesStart"]["measurementSeriesId"]
        assert identifier not in counts
        counts[identifier] = 0
    elif "measurementSeriesElement" in step:
        element = step["measurementSeriesElement"]
        assert element["index"] == counts[element["measurementSeriesId"]]
        counts[element["measurementSeriesId"]] += 1
    elif "measurementSeriesEnd" in step:
        end = step["measurementSeriesEnd"]
        assert end["totalCount"] == counts.pop(end["measurementSeriesId"])


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")
