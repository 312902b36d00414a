"""The tasks `ebuild.*`."""

from __future__ import annotations

from datetime import UTC, datetime

from invoke.context import Context
from invoke.tasks import task

from alchemy.commands import ebuilds
from cli.command import JSON_HELP, as_json, checked, command, say

_ATOM_HELP = "CATEGORY/NAME of a package in overlays/, or CATEGORY/NAME:SLOT"


@task(help={"json": JSON_HELP})
@command
def sources(_: Context, json: bool = False) -> None:
    """Show where each source file of overlays/ is looked for, in that order."""
    found = ebuilds.sources(checked())
    say(as_json(found) if json else ebuilds.sources_text(found))


@task(help={"json": JSON_HELP})
@command
def outdated(_: Context, json: bool = False) -> None:
    """Compare the ebuilds with the newest releases of upstream and of Debian; what is not known is said."""
    # every command imports this module, and only this task needs the parsers of release lists
    from alchemy.commands import outdated as outdating

    rows = outdating.check(checked(), datetime.now(UTC).date())
    say(as_json([row.as_json() for row in rows]) if json else outdating.text(rows))


@task(positional=["atom"], help={"atom": _ATOM_HELP})
@command
def manifest(_: Context, atom: str) -> None:
    """Make the Manifest of a package: fetch what is new in it, and write size and digests."""
    say(ebuilds.manifest(checked(), atom))


@task(positional=["atom", "version"], help={"atom": _ATOM_HELP, "version": "the new version, as ebuilds write it"})
@command
def bump(_: Context, atom: str, version: str) -> None:
    """Move an ebuild to another version, with its Manifest and the tables; says what to test."""
    say(ebuilds.bump(checked(), atom, version))
