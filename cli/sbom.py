"""The tasks `sbom.*`."""

from __future__ import annotations

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from cli.command import JSON_HELP, as_json, checked, command, say


@task(
    iterable=["feed"],
    help={"feed": "OSV records: a file, folder, zip file or URL; `sbom.check FEED…` works too", "json": JSON_HELP},
)
@command
def check(_: Context, feed: list[str], json: bool = False) -> None:
    """Check which packages of the image a vulnerability feed concerns; exit 1 when there is one, or it is unknown."""
    # every command imports this module, and this one alone needs the feeds
    from alchemy.commands import vulnerabilities

    result = vulnerabilities.check(checked(), feed)
    say(as_json(result.as_json()) if json else vulnerabilities.text(result))
    if result.findings:
        raise Exit(code=1)
