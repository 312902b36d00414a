"""The tasks `expect.*`."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from alchemy.commands import expect
from cli.command import command


@task(positional=["file"], help={"file": "an expectations file (TOML), or its URL"})
@command
def check(_: Context, file: str) -> None:
    """Check an expectations file, and name the machines that it is about."""
    print(expect.check(file), end="")
