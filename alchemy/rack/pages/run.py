"""GET /runs/ID: the steps of a run, their findings, and its measurements over time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from alchemy.rack.pages import answers, views
from alchemy.rack.pages.answers import Format
from alchemy.rack.pages.desk import Desk
from alchemy.rack.pages.operators import DeniedError
from alchemy.rack.pages.readings import MOST_LINES
from alchemy.rack.records import nodes, runs
from alchemy.rack.records.database import Records
from alchemy.rack.records.runs import Run

if TYPE_CHECKING:
    from alchemy_node.burnin.model import Run as Reading

# the page has at most 100 KB, and charts take the most of it
_MOST_CHARACTERS = 60_000
# points of all lines of all charts
_MOST_POINTS = 2000
_MOST_ROWS = 100
_MOST_REASONS = 10
_BATCH = 1000


def answer(desk: Desk, request: Request, default: Format = "html") -> Response:
    """Answers with a run, as a page, JSON, or its steps as CSV."""
    form = answers.wanted(request, default)
    operator = desk.operators.require(request, "view")
    with desk.records.reading() as connection:
        run = _find(connection, request)
        if form == "csv":
            return answers.as_csv(f"run-{run.id}", views.STEP_COLUMNS, views.steps(run))
        if form == "json":
            return answers.as_json({**views.run(run), "steps": views.steps(run)})
        node = nodes.get(connection, run.node_id)
        reading = desk.readings.read(connection, run)
    return answers.page(
        "run.html",
        operator=operator,
        now=desk.clock(),
        run=views.run(run),
        node=node,
        cut=run.lines > MOST_LINES,
        **_shown(reading),
    )


def lines(desk: Desk, request: Request) -> Response:
    """Answers with all lines of a run: a run.jsonl, as `burnin.report` takes it."""
    desk.operators.require(request, "view")
    with desk.records.reading() as connection:
        run = _find(connection, request)
    headers = {**answers.HEADERS, "Content-Disposition": f'attachment; filename="run-{run.id}.jsonl"'}
    return StreamingResponse(_lines(desk.records, run), headers=headers, media_type="application/jsonl")


def _find(connection: Connection, request: Request) -> Run:
    identifier = request.path_params["run"]
    run = runs.get(connection, identifier)
    if run is None:
        raise DeniedError(404, f"run {identifier[:40]}: unknown", hint="the page of a node lists its runs")
    return run


def _lines(records: Records, run: Run) -> Iterator[bytes]:
    """Yields the lines, a batch in each transaction: a slow reader holds none."""
    first = 0
    while True:
        with records.reading() as connection:
            batch = runs.lines(connection, run.id, first=first, limit=_BATCH)
        if not batch:
            return
        first = json.loads(batch[-1])["sequenceNumber"] + 1
        yield "".join(f"{line}\n" for line in batch).encode()


def _shown(reading: Reading) -> dict[str, Any]:
    """Returns what the page shows of the lines."""
    from alchemy_node.burnin import findings, page

    steps = [
        (
            findings.step_name(reading, step.id),
            findings.step_word(reading, step),
            findings.span(step.active),
            findings.step_reason(reading, step),
        )
        for step in reading.steps.values()
    ]
    todo = [
        (
            findings.heading(finding),
            [
                f"{findings.step_name(reading, each.step_id)}, {findings.stamp(each.moment)}: "
                f"{each.message or each.verdict}"
                for each in finding.diagnoses[:_MOST_REASONS]
            ],
            max(0, len(finding.diagnoses) - _MOST_REASONS),
        )
        for finding in findings.findings(reading)
    ]
    unproven = [
        (findings.step_name(reading, each.step_id), each.message or each.verdict) for each in findings.unproven(reading)
    ]
    trouble = [
        (findings.stamp(message.moment), message.severity, findings.said(message))
        for message in reading.messages
        if message.symptom is not None or message.severity in {"WARNING", "ERROR", "FATAL"}
    ]
    points = min(max(_MOST_POINTS // max(1, len(reading.series)), 16), 240)
    figures, left = _figures(page.figures(reading, points))
    return {
        "explanation": _explained(reading),
        "took": findings.span(reading.active),
        "reading": reading,
        "steps": steps[:_MOST_ROWS],
        "todo": todo[:_MOST_ROWS],
        "unproven": unproven[:_MOST_ROWS],
        "trouble": trouble[-_MOST_ROWS:],
        "measured": _measured(reading)[:_MOST_ROWS],
        "figures": figures,
        "figures_left": left,
    }


def _explained(reading: Reading) -> str:
    """Returns the sentence of the reports without its verdict, which the page shows in large letters."""
    from alchemy_node.burnin import findings, report

    if reading.started is None:
        return "No line of the run has come yet."
    return "" if findings.verdict(reading) == "RUNNING" else report.explanation(reading).partition(": ")[2]


def _figures(drawn: list[str]) -> tuple[list[Markup], int]:
    """Returns the charts that fit into the page, and how many do not. Their makers have escaped them."""
    fitting: list[Markup] = []
    room = _MOST_CHARACTERS
    # the last one, of the failures, tells the most
    for figure in [*drawn[-1:], *drawn[:-1]]:
        room -= len(figure)
        if room < 0:
            break
        fitting.append(Markup(figure))  # noqa: S704
    return fitting, len(drawn) - len(fitting)


def _measured(reading: Reading) -> list[tuple[str, str, str, str]]:
    from alchemy_node.burnin import findings

    rows = []
    for each in reading.measurements:
        part = reading.part(each.hardware)
        value = f"{each.value} {each.unit or ''}".strip()
        rows.append((findings.step_name(reading, each.step_id), each.name, value, "" if part is None else part.name))
    return rows
