"""A run as JUnit XML, for what shows test results.

A step is a testsuite, a diagnosis a testcase: FAIL is a failure, UNKNOWN is skipped. An error of the software is a
testcase with an error, a step that was skipped a testcase that was. Measurements are the properties of their suite.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from alchemy_node.burnin import findings
from alchemy_node.burnin.model import Run, Step
from alchemy_node.burnin.ocp import TEXT_LENGTH
from alchemy_node.text import printable

_MOST_PROPERTIES = 1000


@dataclass(frozen=True)
class _Case:
    """A testcase: `kind` is failure, error, skipped, or empty for one that passed."""

    name: str
    kind: str = ""
    message: str = ""


def text(run: Run) -> str:
    """Returns the document."""
    suites = ElementTree.Element("testsuites", {"name": "alchemy-burnin"})
    totals = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for step in run.steps.values():
        _suite(suites, run, step, totals)
    # a run that proved nothing is red in every viewer, also when it has no step
    if findings.verdict(run) in {"ERROR", "RUNNING", "SKIP"}:
        case = _Case("verdict", "error", f"the run ended without a verdict: {findings.verdict(run)}")
        _fill(suites, "run", [case], run.active, totals)
    suites.attrib.update({name: str(count) for name, count in totals.items()})
    suites.set("time", f"{run.active:.3f}")
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _suite(suites: ElementTree.Element, run: Run, step: Step, totals: dict[str, int]) -> None:
    took = step.active
    suite = _fill(suites, findings.step_name(run, step.id), list(_cases(run, step)), took, totals)
    suite.set("timestamp", f"{step.started:%Y-%m-%dT%H:%M:%S}")
    suite.set("hostname", _clean(run.machine))
    measured = [measurement for measurement in run.measurements if measurement.step_id == step.id]
    if measured:
        properties = ElementTree.Element("properties")
        suite.insert(0, properties)
        for measurement in measured[:_MOST_PROPERTIES]:
            name = ".".join(filter(None, (measurement.name, measurement.hardware)))
            value = f"{measurement.value} {measurement.unit or ''}".rstrip()
            ElementTree.SubElement(properties, "property", {"name": _clean(name), "value": _clean(value)})


def _cases(run: Run, step: Step) -> Iterator[_Case]:
    for diagnosis in run.diagnoses:
        if diagnosis.step_id == step.id:
            part = run.part(diagnosis.hardware)
            name = diagnosis.verdict if part is None else f"{diagnosis.verdict} {part.name}"
            kind = {"FAIL": "failure", "UNKNOWN": "skipped"}.get(diagnosis.type, "")
            yield _Case(name, kind, diagnosis.message)
    for message in run.messages:
        if message.step_id == step.id and message.symptom is not None:
            yield _Case(message.symptom, "error", message.message)
    word = findings.step_word(run, step)
    if step.status == "SKIP":
        yield _Case("skipped", "skipped", findings.step_reason(run, step))
    elif word in {"ERROR", "RUNNING"}:
        yield _Case("end", "error", "the step did not complete")


def _fill(
    suites: ElementTree.Element, name: str, cases: list[_Case], took: float, totals: dict[str, int]
) -> ElementTree.Element:
    suite = ElementTree.SubElement(suites, "testsuite", {"name": _clean(name)})
    counts = dict.fromkeys(totals, 0)
    for case in cases:
        element = ElementTree.SubElement(suite, "testcase", {"name": _clean(case.name), "classname": _clean(name)})
        counts["tests"] += 1
        if case.kind:
            counts["skipped" if case.kind == "skipped" else f"{case.kind}s"] += 1
            ElementTree.SubElement(element, case.kind, {"message": _clean(case.message)})
    suite.attrib.update({key: str(count) for key, count in counts.items()} | {"time": f"{took:.3f}"})
    for key, count in counts.items():
        totals[key] += count
    return suite


def _clean(value: str) -> str:
    """Returns what XML 1.0 can hold: printable characters only."""
    return printable(value, TEXT_LENGTH)
