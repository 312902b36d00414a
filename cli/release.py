"""The tasks `release.*`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from alchemy.errors import UserError
from cli.command import checked, command, say


@task
@command
def check(_: Context) -> None:
    """Check that the repository is ready for a release, and name everything that is missing."""
    # every command imports this module, and only these tasks need their parts
    from alchemy.commands import release

    problems = release.check(checked())
    if problems:
        raise UserError("\n".join(["not ready for a release", *(f"  {problem}" for problem in problems)]))
    print("ready for a release")


@task(positional=["version"], help={"version": "version of the release: 1.2 or 1.2-rc1"})
@command
def cut(_: Context, version: str) -> None:
    """Make a release: date NEWS.md, commit, build with signed SHA256SUMS, and tag. Pushes nothing."""
    from alchemy.commands import release

    say(release.cut(checked(version), datetime.now(UTC).date()))


@task(positional=["folder"], help={"folder": "a new folder, or one that an earlier run has begun"})
@command
def distfiles(_: Context, folder: str) -> None:
    """Copy the sources of the image in bin/ into a folder, which can be published as a mirror."""
    from alchemy.commands import distfiles as source_files

    say(source_files.collect(checked(), Path(folder).absolute()))
