"""Reads the record of a burn-in, and checks a profile, on the build host, with the node's own code."""

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


def check_profile(file: Path) -> None:
    """Raises UserError with all that is wrong with a profile."""
    node.find()
    from alchemy_node.burnin import profile

    if not file.is_file():
        raise UserError(f"{file}: no such file")
    try:
        profile.parse(file.read_bytes(), file.name)
    except profile.ProfileError as error:
        raise UserError(str(error), hint="docs/burnin.md has the keys of a profile") from error
