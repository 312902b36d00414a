"""What `alchemy-burnin status` says of the newest run of this machine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alchemy_node.burnin import claim, findings, reader, screen
from alchemy_node.burnin.model import Run
from alchemy_node.burnin.progress import progress
from alchemy_node.burnin.record import FILE
from alchemy_node.text import printable

FOLDER = Path("/var/log/alchemy/burnin")
VERDICT = "/run/alchemy/verdict"

_STATUSES = {"PASS": 0, "FAIL": 1}


def main(arguments: Sequence[str], folder: Path = FOLDER, lock: Path = claim.LOCK) -> int:
    """Prints the state of the newest run; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="alchemy-burnin status",
        description="Says how the newest burn-in of this machine goes.",
        epilog="Exit status: 0 PASS, 1 FAIL, 3 nothing is proven (yet).",
    )
    parser.add_argument("--json", action="store_true", help="as one JSON document")
    options = parser.parse_args(arguments)
    record = newest(folder)
    if record is None:
        print("{}" if options.json else "No burn-in was started since this machine booted.")
        return exit_status(None)
    run, alive = reader.read(record), claim.held(lock)
    # without a supervisor, time does not pass for the run
    now = datetime.now(UTC) if alive or run.latest is None else run.latest
    if options.json:
        print(json.dumps(document(run, record, now, alive=alive), indent=2))
    else:
        print(text(run, now, alive=alive), end="")
    return exit_status(run)


def newest(folder: Path = FOLDER) -> Path | None:
    """Returns the record of the run that was written last, or None."""
    records = [path for path in folder.glob(f"*/{FILE}") if path.is_file()]
    return max(records, key=lambda path: path.stat().st_mtime_ns, default=None)


def exit_status(run: Run | None) -> int:
    """Returns 0 for PASS, 1 for FAIL (also of a run that goes on), 3 while nothing is proven."""
    return 3 if run is None else _STATUSES.get(findings.verdict(run), 3)


def verdict_line(run: Run) -> str:
    """Returns what the file for scripts holds: PASS, FAIL, ERROR, or RUNNING until the run has ended."""
    word = findings.verdict(run) if run.status is not None else "RUNNING"
    return f"{'ERROR' if word == 'SKIP' else word}\n"


def issue(run: Run) -> str:
    """Returns the text before a login: verdict and parts to replace. agetty(8) takes no backslash for itself."""
    lines = [f"Burn-in: {verdict_line(run).strip()}", *map(findings.advice, findings.findings(run)[:5])]
    return "".join(f"{screen.ascii_line(line).replace(chr(92), '/')}\n" for line in lines) + "\n"


def text(run: Run, now: datetime, *, alive: bool) -> str:
    """Returns the same lines as the console has. `alive`: a supervisor is there."""
    lines = [line for line in screen.lines(run, now)[:-2] if line]
    return "\n".join([*lines, *([] if alive or run.status is not None else [DEAD])]) + "\n"


DEAD = "No supervisor is running: the run was interrupted. Go on with it: alchemy-burnin --resume"


def document(run: Run, record: Path, now: datetime, *, alive: bool) -> dict[str, Any]:
    """Returns what --json prints. Text of the machine in it is printable; a time or a value that is unknown is null."""
    state = progress(run, now)
    return {
        "verdict": findings.verdict(run),
        "ended": run.status is not None,
        "alive": alive,
        "machine": printable(run.machine),
        "version": printable(run.version),
        "profile": printable(str(run.parameters.get("profile", ""))),
        "record": str(record),
        "started": None if run.started is None else run.started.isoformat(),
        "elapsed_seconds": round(state.elapsed),
        "left_seconds": None if state.left is None else round(state.left),
        "failures": run.failures,
        "errors": run.errors,
        "findings": [_finding(finding) for finding in findings.findings(run)],
        "steps": [
            {
                "id": printable(step.id),
                "name": findings.step_name(run, step.id),
                "state": findings.step_word(run, step),
                "seconds": round(step.active),
                "reason": findings.step_reason(run, step),
            }
            for step in run.steps.values()
        ],
    }


def _finding(finding: findings.Finding) -> dict[str, Any]:
    part = finding.part
    return {
        "advice": findings.advice(finding),
        "part": None if part is None else printable(part.name),
        "location": None if part is None or part.location is None else printable(part.location),
        "serial": None if part is None or part.serial_number is None else printable(part.serial_number),
        "reasons": [findings.spoken(diagnosis.message or diagnosis.verdict) for diagnosis in finding.diagnoses[:20]],
    }
