"""What an infrastructure manager gets of a burn-in: attributes to search by, and a log entry to read."""

from __future__ import annotations

from typing import Any

from alchemy_node.burnin import findings
from alchemy_node.burnin.model import Run
from alchemy_node.text import printable

_MOST_FINDINGS = 20
_KINDS = {"PASS": "NOTICE", "FAIL": "CRITICAL"}


def attributes(run: Run) -> dict[str, str]:
    """Returns attributes of Collins. BURNIN_COMPLETE is true after a PASS, and empty, which deletes it, otherwise."""
    verdict = findings.verdict(run)
    found = findings.findings(run)
    return {
        "BURNIN_COMPLETE": "true" if verdict == "PASS" else "",
        "BURNIN_RESULT": verdict,
        "BURNIN_PROFILE": _word(str(run.parameters.get("profile", ""))),
        "BURNIN_ENDED": "" if run.ended is None else f"{run.ended:%Y-%m-%dT%H:%M:%SZ}",
        "BURNIN_SECONDS": str(round(run.active)),
        "BURNIN_VERSION": _word(run.version),
        "BURNIN_FINDINGS": _word("; ".join(findings.advice(finding) for finding in found[:_MOST_FINDINGS])),
    }


def entry(run: Run) -> dict[str, Any]:
    """Returns a log entry: the verdict, each finding and each step."""
    return {
        "burnin": findings.verdict(run),
        "profile": _word(str(run.parameters.get("profile", ""))),
        "findings": [
            {"part": findings.heading(finding), "advice": findings.advice(finding)}
            for finding in findings.findings(run)[:_MOST_FINDINGS]
        ],
        "steps": {findings.step_name(run, step.id): findings.step_word(run, step) for step in run.steps.values()},
    }


def kind(run: Run) -> str:
    """Returns the type of the log entry."""
    return _KINDS.get(findings.verdict(run), "WARNING")


def _word(value: str) -> str:
    return printable(value, 250).encode("ascii", "replace").decode("ascii")
