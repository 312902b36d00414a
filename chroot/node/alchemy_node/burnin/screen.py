"""What a console shows: 24 lines of at most 79 columns, in ASCII, so that every terminal and every BMC can show it.

The 80th column stays empty: some terminals wrap when it is written.
"""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime

from alchemy_node.burnin import findings, letters
from alchemy_node.burnin.model import Run, Step
from alchemy_node.burnin.progress import clock, progress
from alchemy_node.text import printable

ROWS = 24
COLUMNS = 79

_BAR = 32
_RULE = "-" * COLUMNS
_HINT = "alchemy-burnin status    report: /var/log/alchemy/burnin"


def lines(run: Run, now: datetime) -> list[str]:
    """Returns the screen of a run: progress and findings, or the verdict in large letters."""
    body = _running(run, now) if run.status is None else _ended(run)
    body = [*_head(run, now), *body][: ROWS - 2]
    return [ascii_line(line) for line in [*body, *[""] * (ROWS - 2 - len(body)), _RULE, _HINT]]


def ascii_line(text: str, columns: int = COLUMNS) -> str:
    """Returns one line of ASCII of at most so many columns."""
    kept = "".join("?" if not character.isprintable() else character for character in text[: columns + 1])
    line = kept.replace("°", "").encode("ascii", "replace").decode("ascii").rstrip()
    return line if len(text) <= columns and len(line) <= columns else line[: columns - 1] + ">"


def _head(run: Run, now: datetime) -> list[str]:
    name = f"Alchemy burn-in   {printable(run.machine, 40)}"
    moment = f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return [f"{name:{COLUMNS - len(moment)}}{moment}", _RULE]


def _running(run: Run, now: datetime) -> list[str]:
    state = progress(run, now)
    names = ", ".join(findings.step_name(run, step.id) for step in state.open) or "evidence"
    share = state.share or 0.0
    filled = int(share * _BAR)
    profile = printable(str(run.parameters.get("profile", "")), 20)
    done = f"{state.done} of {state.steps} steps done   " if state.steps else ""
    words = "FAILED SO FAR, RUNNING ON" if run.failures else "RUNNING"
    return [
        f"{words}   profile {profile or 'unknown'}   {done}now: {names}",
        f"[{'#' * filled}{'.' * (_BAR - filled)}] {share:4.0%}   {clock(state.elapsed)} run, {clock(state.left)} left",
        "",
        *_steps(run, now, 7),
        "",
        *_temperatures(run, 2),
        f"checks failed: {run.failures}   errors of the software: {run.errors}",
        *_reasons(run, 5),
    ]


def _ended(run: Run) -> list[str]:
    word = findings.verdict(run)
    large = ["     " + row for row in letters.big(word)]
    found = findings.findings(run)
    body = ["", *large, ""]
    if found:
        # what to do, and about which part, as long as there is room
        for finding in found[:ROWS]:
            body += textwrap.wrap(findings.advice(finding), COLUMNS, subsequent_indent="  ")[:2]
            more = f" ({len(finding.diagnoses) - 1} more findings)" if len(finding.diagnoses) > 1 else ""
            body.append(f"  {findings.heading(finding)}{more}")
        room = ROWS - 4 - 3
        if len(body) > room:
            body = [*body[: room - 1], "... more: alchemy-burnin status"]
    else:
        body += _steps(run, run.latest or datetime.now(UTC), 6)
        body += _reasons(run, 3)
    return [*body, "", f"{clock(run.active)} run, ended {findings.stamp(run.ended)}"]


def _steps(run: Run, now: datetime, most: int) -> list[str]:
    steps = list(run.steps.values())
    # what runs and what failed matters more than what passed
    steps.sort(key=lambda step: findings.step_word(run, step) in {"PASS", "SKIP"})
    shown = [_step(run, step, now) for step in steps[:most]]
    return [*shown[:-1], f"... and {len(steps) - most + 1} more"] if len(steps) > most else shown


def _step(run: Run, step: Step, now: datetime) -> str:
    since = 0.0
    if step.status is None and run.status is None and run.latest is not None:
        since = max(0.0, (now - run.latest).total_seconds())
    reason = findings.step_reason(run, step)
    return f"{findings.step_word(run, step):9}{clock(step.active + since)}  {findings.step_name(run, step.id)}" + (
        f": {reason}" if reason else ""
    )


def _temperatures(run: Run, rows: int) -> list[str]:
    """Returns the hottest parts: their temperature now, and the highest so far."""
    hottest: dict[str, tuple[float, float]] = {}
    for series in run.series.values():
        if (
            (series.unit in {"C", "°C"} or "temperature" in series.name)
            and series.last is not None
            and series.high is not None
        ):
            part = run.part(series.hardware)
            name = printable(part.name if part is not None else _sensor(series.name), 24)
            hottest[name] = (series.last, max(series.high, hottest.get(name, (0, series.high))[1]))
    ordered = sorted(hottest.items(), key=lambda item: item[1][0], reverse=True)
    words = [f"{name} {now:.0f} C (max {high:.0f})" for name, (now, high) in ordered[: rows * 3]]
    text = "temperatures: " + (", ".join(words) or "no sensor says")
    return textwrap.wrap(text, COLUMNS, subsequent_indent="  ")[:rows]


def _sensor(name: str) -> str:
    """Returns the name of a sensor without the words that say that it is one of temperature."""
    return name.removeprefix("temperature").replace(" sensor ", " ").strip() or name


def _reasons(run: Run, most: int) -> list[str]:
    """Returns the newest failures and errors."""
    failed = [(other.moment, findings.spoken(other.message or other.verdict)) for other in run.failed()[-most:]]
    errors = [
        (other.moment, findings.spoken(findings.said(other)))
        for other in run.messages
        if other.symptom is not None or other.severity == "WARNING"
    ]
    newest = sorted([*failed, *errors[-most:]], key=lambda entry: entry[0])[-most:]
    return [f"{moment:%H:%M:%S} {text}" for moment, text in newest]
