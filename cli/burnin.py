"""The tasks `burnin.*`."""

from __future__ import annotations

from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from alchemy.commands import burnin
from cli.command import command


@task(positional=["record"], help={"record": "a run.jsonl", "into": "folder to write to (default: that of the record)"})
@command
def report(_: Context, record: str, into: str = "") -> None:
    """Make report.txt, report.html and junit.xml from the run.jsonl of a burn-in, and print the first."""
    print(burnin.report(Path(record), Path(into) if into else Path(record).parent), end="")
