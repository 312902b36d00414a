"""The report of a run: one page of text for the one who decides what happens to the machine."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from alchemy_node.burnin import findings
from alchemy_node.burnin.model import Run
from alchemy_node.text import printable

WIDTH = 80
# of each list: the rest is counted, and is in run.jsonl
_MOST_FINDINGS = 6
_MOST_REASONS = 2
_MOST_STEPS = 12
_MOST_OTHERS = 4
_MOST_MEASURED = 10


def text(run: Run) -> str:
    """Returns the page: machine, verdict, parts to replace, steps, unproven parts, measurements."""
    lines = [*_head(run), *_findings(run), *_steps(run), *_rest(run), *_measured(run)]
    return "".join(f"{line if len(line) <= WIDTH else line[: WIDTH - 1] + '…'}\n" for line in lines)


def _head(run: Run) -> Iterator[str]:
    verdict = findings.verdict(run)
    yield "Alchemy burn-in".ljust(WIDTH - len(verdict)) + verdict
    yield ""
    yield f"machine   {printable(run.machine) or 'unknown'}"
    end = run.ended or run.latest
    took = findings.span(run.active)
    yield f"started   {findings.stamp(run.started)}"
    yield f"{'ended' if run.ended else 'last line':9} {findings.stamp(end)} ({took})"
    yield from _wrapped("command   ", " " * 10, printable(run.command_line, 400), 2)
    yield f"version   {printable(run.version)}"
    software = [f"{software.name} {software.version or ''}".strip() for software in run.software.values()]
    if software:
        yield from _wrapped("with      ", " " * 10, printable(", ".join(software), 400), 2)
    yield ""
    yield from _wrapped("verdict   ", " " * 10, explanation(run), 3)
    if run.garbled or run.dropped:
        yield f"          {run.garbled} lines of the record are garbled, {run.dropped} entries were left out"


def explanation(run: Run) -> str:
    """Returns the verdict in a sentence."""
    match findings.verdict(run):
        case "PASS":
            return "PASS: every step that ran proved its part sound, and no counter of errors grew."
        case "FAIL":
            counted = "1 check" if run.failures == 1 else f"{run.failures} checks"
            return f"FAIL: {counted} failed. The machine is not fit for service as it is."
        case "SKIP":
            return "SKIP: nothing was run."
        case "RUNNING":
            steps = ", ".join(findings.step_name(run, step.id) for step in run.open_steps) or "none"
            return f"RUNNING: the record has no end. Open steps: {steps}."
        case _:
            return (
                "ERROR: nothing was proven. The software or the run had trouble; this says nothing about the hardware."
            )


def _findings(run: Run) -> Iterator[str]:
    found = findings.findings(run)
    if not found:
        return
    yield from _title("What to do")
    depth = 2 if len(found) <= 3 else 1
    for finding in found[:_MOST_FINDINGS]:
        yield from _wrapped("  ", "    ", findings.heading(finding), 2)
        for diagnosis in finding.diagnoses[:_MOST_REASONS]:
            where = findings.step_name(run, diagnosis.step_id)
            message = findings.spoken(diagnosis.message or diagnosis.verdict)
            yield from _wrapped("    - ", "      ", f"{where}: {message}", depth)
        yield from _more(len(finding.diagnoses), _MOST_REASONS, "    ")
    yield from _more(len(found), _MOST_FINDINGS, "  ")


def _steps(run: Run) -> Iterator[str]:
    yield from _title("Steps")
    steps = list(run.steps.values())
    if not steps:
        yield "  none was started"
    for step in steps[:_MOST_STEPS]:
        took = findings.span(step.active)
        head = f"  {findings.step_word(run, step):8}{took:>12}  {findings.step_name(run, step.id)}"
        reason = findings.step_reason(run, step)
        yield from _wrapped("", "", f"{head}: {reason}" if reason else head)
    yield from _more(len(steps), _MOST_STEPS, "  ")


def _rest(run: Run) -> Iterator[str]:
    unproven = [
        f"{findings.step_name(run, diagnosis.step_id)}: {findings.spoken(diagnosis.message or diagnosis.verdict)}"
        for diagnosis in findings.unproven(run)
    ]
    yield from _list("Not proven", unproven)
    errors = [findings.spoken(findings.said(message)) for message in run.messages if message.symptom is not None]
    yield from _list("Trouble of the software", errors)


def _list(heading: str, entries: list[str]) -> Iterator[str]:
    distinct = list(dict.fromkeys(entries))
    if distinct:
        yield from _title(heading)
        for entry in distinct[:_MOST_OTHERS]:
            yield from _wrapped("  - ", "    ", entry)
        yield from _more(len(distinct), _MOST_OTHERS, "  ")


def _measured(run: Run) -> Iterator[str]:
    extremes: dict[tuple[str, str], tuple[float, float, int]] = {}
    for series in run.series.values():
        if series.low is not None and series.high is not None:
            key = (printable(series.name, 40), printable(series.unit or "", 12))
            low, high, count = extremes.get(key, (series.low, series.high, 0))
            extremes[key] = (min(low, series.low), max(high, series.high), count + series.count)
    if extremes:
        yield from _title("Measured")
        for (name, unit), (low, high, count) in list(extremes.items())[:_MOST_MEASURED]:
            yield f"  {name:32} {low:10.6g} to {high:10.6g} {unit} ({count} values)"
        yield from _more(len(extremes), _MOST_MEASURED, "  ")


def _title(heading: str) -> Iterable[str]:
    return ("", heading)


def _more(found: int, shown: int, indent: str) -> Iterator[str]:
    if found > shown:
        yield f"{indent}… and {found - shown} more, in run.jsonl"


def _wrapped(first: str, others: str, entry: str, most: int = 1) -> list[str]:
    lines = textwrap.wrap(
        entry, WIDTH, initial_indent=first, subsequent_indent=others, max_lines=most, placeholder=" …"
    )
    return lines or [first.rstrip()]
