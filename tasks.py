"""The namespace of the commands: `./run TASK…`, `invoke TASK…`. A module of cli/ holds the tasks of its name."""

from __future__ import annotations

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from alchemy.commands.help import overview
from cli import (
    bench,
    boot,
    build,
    burnin,
    cache,
    config,
    docs,
    ebuild,
    expect,
    hardware,
    release,
    sbom,
    sign,
    test,
    util,
)
from cli.command import ROOT, command


@task(name="help", default=True)
@command
def show_help(_: Context) -> None:
    """Show what this is and the commands that matter."""
    print(overview(ROOT))


_NAMESPACES = (
    bench,
    boot,
    build,
    burnin,
    cache,
    config,
    docs,
    ebuild,
    expect,
    hardware,
    release,
    sbom,
    sign,
    test,
    util,
)

ns = Collection(show_help, *(Collection.from_module(module) for module in _NAMESPACES))
