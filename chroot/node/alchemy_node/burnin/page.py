"""A run as a page of HTML: one file without scripts, links or pictures, that prints well.

Everything that a machine says is escaped, and the page's own policy forbids scripts and any request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from html import escape

from alchemy_node.burnin import charts, findings, report
from alchemy_node.burnin.charts import Band, Line, Mark
from alchemy_node.burnin.model import Diagnosis, Run
from alchemy_node.burnin.series import MOST_POINTS, Point, merged
from alchemy_node.text import printable

_MOST_ROWS = 500
_MOST_CHARTS = 40
_MOST_MARKS = 100
# measurements in one of these units are of one kind, and share a chart
_KINDS = {"C": "temperatures", "°C": "temperatures", "MHz": "clocks", "W": "power", "V": "voltages", "rpm": "fans"}

_STYLE = """
:root{color-scheme:light}
body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:900px;padding:0 1em;color:#111;background:#fff}
header{border-left:14px solid #666;padding:.2em 1em}
header.PASS{border-color:#087f3f}header.FAIL,header.ERROR{border-color:#b00020}
header strong{font-size:2.6em;line-height:1.1}.PASS strong{color:#087f3f}.FAIL strong,.ERROR strong{color:#b00020}
h1{font-size:1.1em;margin:0}h2{font-size:1.15em;margin:1.6em 0 .4em;border-bottom:1px solid #ccc}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.25em .8em .25em 0}
tr+tr td{border-top:1px solid #eee}td{overflow-wrap:anywhere}td:first-child,th{white-space:nowrap}
.todo{border:2px solid #b00020;padding:.4em 1em;margin:.5em 0;break-inside:avoid}.todo b{font-size:1.15em}
figure{margin:1em 0;break-inside:avoid}figcaption{font-weight:600}svg{width:100%;height:auto}
svg text{font:11px system-ui,sans-serif;fill:#444}.grid{stroke:#ddd}.band{fill:#f1f4f8}
.mark{stroke:#b00020;stroke-width:1.5;stroke-dasharray:4 3}
.legend{font-size:.8em;margin:0}.legend span{margin-right:1em;white-space:nowrap}
.legend svg{width:.8em;height:.8em;margin-right:.3em}
.word{font-weight:600}.word.FAIL,.word.ERROR{color:#b00020}.word.PASS{color:#087f3f}
footer{margin-top:2em;font-size:.85em;color:#555}
@page{size:A4;margin:14mm}
@media print{body{margin:0;max-width:none;padding:0;font-size:11px;print-color-adjust:exact}}
""".strip().replace("\n", "")


def text(run: Run) -> str:
    """Returns the page."""
    verdict = findings.verdict(run)
    machine = _text(run.machine) or "unknown machine"
    sections = [
        *_findings(run),
        _facts(run),
        *_steps(run),
        *_notes(run),
        *_charts(run),
        *_measurements(run),
        *_parts(run),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{verdict}: {machine}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<header class="{verdict}"><h1>Burn-in of {machine}</h1><strong>{verdict}</strong>'
        f"<p>{_text(report.explanation(run))}</p></header>\n"
        + "\n".join(sections)
        + f"\n<footer>Alchemy {_text(run.version)}. Times are UTC. The record is run.jsonl "
        f"({run.next_sequence} lines, {run.garbled} garbled, {run.dropped} entries left out here).</footer>\n"
        "</body>\n</html>\n"
    )


def _findings(run: Run) -> Iterator[str]:
    for finding in findings.findings(run)[:_MOST_ROWS]:
        reasons = "".join(
            f"<li>{_text(findings.step_name(run, diagnosis.step_id))}, {_text(findings.stamp(diagnosis.moment))}: "
            f"{_text(diagnosis.message or diagnosis.verdict)}</li>"
            for diagnosis in finding.diagnoses[:_MOST_MARKS]
        )
        yield f'<div class="todo"><b>{_text(findings.heading(finding))}</b><ul>{reasons}</ul></div>'


def _facts(run: Run) -> str:
    end = run.ended or run.latest
    rows = [
        ["started", findings.stamp(run.started)],
        ["ended" if run.ended else "last line", findings.stamp(end)],
        ["took", findings.span(run.active)],
        ["command", run.command_line],
        *([software.name, software.version or "unknown"] for software in run.software.values()),
    ]
    return _table("Run", [], rows)


def _steps(run: Run) -> Iterator[str]:
    rows = []
    for step in run.steps.values():
        word = findings.step_word(run, step)
        took = findings.span(step.active)
        name, reason = findings.step_name(run, step.id), findings.step_reason(run, step)
        rows.append([name, f'<span class="word {word}">{word}</span>', _text(took), _text(reason)])
    if rows:
        yield _raw_table("Steps", ["step", "result", "took", "why"], ([_text(row[0]), *row[1:]] for row in rows))


def _notes(run: Run) -> Iterator[str]:
    unproven = [
        [findings.step_name(run, other.step_id), other.message or other.verdict] for other in findings.unproven(run)
    ]
    if unproven:
        yield _table("Not proven", ["step", "what"], unproven)
    log = [
        [findings.stamp(message.moment), message.severity, findings.said(message)]
        for message in run.messages
        if message.symptom is not None or message.severity in {"WARNING", "ERROR", "FATAL"}
    ]
    if log:
        yield _table("Warnings and trouble of the software", ["when", "severity", "what"], log)


def figures(run: Run, most_points: int = MOST_POINTS) -> list[str]:
    """Returns the charts of a run, each as a figure of HTML; a line has at most `most_points` points."""
    end = run.ended or run.latest
    bands = [
        Band(findings.step_name(run, step.id), step.started, step.ended or end or step.started)
        for step in run.steps.values()
    ]
    failed = run.failed()[:_MOST_MARKS]
    marks = [Mark(findings.spoken(diagnosis.message or diagnosis.verdict), diagnosis.moment) for diagnosis in failed]
    groups = _groups(run, most_points)
    drawn = [charts.chart(name, unit, lines, bands, marks) for (name, unit), lines in groups.items()]
    drawn.append(charts.chart("failures so far", "", [_failures(run.failed(), run.started, end)], bands, marks))
    shown = [figure for figure in drawn if figure]
    return [*shown[: _MOST_CHARTS - 1], *shown[_MOST_CHARTS - 1 :][-1:]]


def _charts(run: Run) -> Iterator[str]:
    if shown := figures(run):
        yield "<h2>Over time</h2>" + "".join(shown)


def _groups(run: Run, most_points: int) -> dict[tuple[str, str], list[Line]]:
    """Returns for each kind of measurement a line a part, through all steps."""
    points: dict[tuple[str, str], dict[str, list[Point]]] = {}
    for series in run.series.values():
        part = run.part(series.hardware)
        name, unit = printable(series.name, 60), printable(series.unit or "", 12)
        label = printable(f"{part.name} {name}" if part is not None else name, 60)
        kind = (_KINDS.get(unit, name), unit)
        points.setdefault(kind, {}).setdefault(label, []).extend(merged(series.points, most_points))
    return {kind: [Line(label, line) for label, line in lines.items()] for kind, lines in points.items()}


def _failures(failed: Sequence[Diagnosis], start: datetime | None, end: datetime | None) -> Line:
    if not failed or start is None or end is None:
        return Line("failures", ())
    points = [Point(start, 0, 0)]
    for count, diagnosis in enumerate(failed, 1):
        # a step, not a slope
        points += [Point(diagnosis.moment, count - 1, count - 1), Point(diagnosis.moment, count, count)]
    return Line("failures", [*points, Point(end, len(failed), len(failed))])


def _measurements(run: Run) -> Iterator[str]:
    rows = []
    for measurement in run.measurements:
        part = run.part(measurement.hardware)
        value = f"{measurement.value} {measurement.unit or ''}"
        step = findings.step_name(run, measurement.step_id)
        rows.append([step, measurement.name, value, "" if part is None else part.name])
    if rows:
        yield _table("Measured", ["step", "name", "value", "part"], rows)


def _parts(run: Run) -> Iterator[str]:
    rows = [[findings.describe(part), part.version or ""] for part in run.hardware.values()]
    if rows:
        yield _table("Parts", ["part", "version"], rows)


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return _raw_table(title, heads, ([_text(cell) for cell in row] for row in rows))


def _raw_table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table of cells that are HTML already."""
    body = ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    head = "".join(f"<th>{cell}</th>" for cell in heads)
    if len(body) > _MOST_ROWS:
        body[_MOST_ROWS:] = [f"<td>and {len(body) - _MOST_ROWS} more, in run.jsonl</td>"]
    table = "".join(f"<tr>{row}</tr>" for row in body)
    return f"<h2>{title}</h2><table>{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{table}</tbody></table>"


def _text(value: str) -> str:
    return escape(printable(value, 1000))
