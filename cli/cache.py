"""The tasks `cache.*`."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from alchemy.commands import cache
from alchemy.ui.events import size
from cli.command import JSON_HELP, as_json, checked, command, say


@task(help={"json": JSON_HELP})
@command
def info(_: Context, json: bool = False) -> None:
    """Show what the cache holds: the size of each entry, and when it was last used."""
    described = cache.info(checked())
    say(as_json(described) if json else cache.info_text(described))


@task(help={"keep_days": "keep entries used within this many days (default: 30)"})
@command
def prune(_: Context, keep_days: int = 30) -> None:
    """Remove cache entries that were not used for some time."""
    gone = cache.prune(checked(), keep_days)
    for entry in gone:
        say(f"removed {entry.path}")
    print(f"{len(gone)} entries, {size(sum(entry.size for entry in gone))}")
