"""Reads the record of a burn-in on the build host, with the node's own code."""

from __future__ import annotations

from pathlib import Path

from alchemy.commands import node
from alchemy.errors import UserError


def report(record: Path, folder: Path) -> str:
    """Writes report.txt, report.html and junit.xml of a run.jsonl into a folder; returns the text of the first.

    Raises UserError when the file holds no line of a run.
    """
    node.find()
    from alchemy_node.burnin import reader, render

    if not record.is_file():
        raise UserError(f"{record}: not a file", hint="./run burnin.report /var/log/alchemy/burnin/RUN/run.jsonl")
    run = reader.read(record)
    if run.started is None:
        raise UserError(
            f"{record}: not the record of a burn-in (expected lines of OCP's test output 2.0 with a start of the run, "
            f"got {run.garbled} other lines)"
        )
    folder.mkdir(parents=True, exist_ok=True)
    return render.write(run, folder)[0].read_text(encoding="utf-8")
