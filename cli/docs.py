"""The tasks `docs.*`."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from cli.command import ROOT, VERSION_HELP, checked, command


@task(
    help={
        "sizes": "also update the sizes of packages, from the last build of this configuration",
        "version": VERSION_HELP,
    }
)
@command
def update(_: Context, sizes: bool = False, version: str = "wip") -> None:
    """Update the generated tables and pictures of README.md, packages/README.md and docs/."""
    # every command imports this module, and this one alone needs these
    from alchemy.commands import docs, package_tables
    from alchemy.commands import sizes as image_sizes

    measured = package_tables.measured(image_sizes.describe(checked(version))) if sizes else {}
    for part in docs.parts(measured):
        if part.update(ROOT):
            print(f"{part.file}: {part.name} updated")
