"""Sums up a run from its lines: OCP Test & Validation output 2.0, one object a line.

Lines may come in any order and with gaps, and the sum is the same: each fact keeps the sequenceNumber of its line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alchemy.rack.records.facts import mapping, text

_MOST_STEPS = 500
_MOST_FAILURES = 200

Summary = dict[str, Any]


def empty() -> Summary:
    """Returns the sum of no lines.

    `steps`: by testStepId `{"name", "status", "began", "ended", "failures"}`; `planned`: ids of the steps in their
    order; `seconds`: how long the run is to take; `failures`: `{"sequence", "step", "verdict", "message"}`, the
    earliest first; `status` and `result`: of testRunEnd.
    """
    return {"steps": {}, "planned": [], "seconds": None, "failures": [], "status": None, "result": None}


def take(summary: Summary, sequence: int, line: Mapping[str, Any]) -> None:
    """Adds a line to a sum. What is of no known form changes nothing."""
    moment = text(line.get("timestamp"))
    run, step = mapping(line.get("testRunArtifact")), mapping(line.get("testStepArtifact"))
    if "testRunStart" in run:
        parameters = mapping(mapping(run["testRunStart"]).get("parameters"))
        seconds, planned = parameters.get("seconds"), parameters.get("steps")
        summary["seconds"] = seconds if isinstance(seconds, int | float) else None
        listed = planned[:_MOST_STEPS] if isinstance(planned, list) else []
        summary["planned"] = [name for name in map(text, listed) if name]
    elif "testRunEnd" in run:
        end = mapping(run["testRunEnd"])
        status, result = text(end.get("status")), text(end.get("result"))
        if status and result:
            summary["status"], summary["result"] = status, result
    elif identifier := text(step.get("testStepId")):
        _step(summary, identifier, sequence, moment, step)


def _step(summary: Summary, identifier: str, sequence: int, moment: str | None, artifact: Mapping[str, Any]) -> None:
    steps = summary["steps"]
    if identifier not in steps and len(steps) >= _MOST_STEPS:
        return
    known = steps.setdefault(identifier, {"name": None, "status": None, "began": None, "ended": None, "failures": 0})
    if "testStepStart" in artifact:
        known["name"], known["began"] = text(mapping(artifact["testStepStart"]).get("name")), moment
    elif "testStepEnd" in artifact:
        known["status"], known["ended"] = text(mapping(artifact["testStepEnd"]).get("status")), moment
    elif "diagnosis" in artifact:
        diagnosis = mapping(artifact["diagnosis"])
        if diagnosis.get("type") == "FAIL":
            known["failures"] += 1
            failure = {
                "sequence": sequence,
                "step": identifier,
                "verdict": text(diagnosis.get("verdict")),
                "message": text(diagnosis.get("message")),
            }
            failures = sorted([*summary["failures"], failure], key=lambda each: int(each["sequence"]))
            summary["failures"] = failures[:_MOST_FAILURES]
