"""The tasks `util.*`."""

from __future__ import annotations

import sys

from invoke.context import Context
from invoke.tasks import task

from alchemy.commands import build
from cli.command import checked, command, say


@task(help={"network": "share the network of this host, which `ebuild ... manifest` needs to fetch sources"})
@command
def shell(_: Context, network: bool = False) -> None:
    """Open a shell in the build chroot."""
    sys.exit(build.shell(checked(), network=network))


@task(help={"all": "remove the cache too"})
@command
def clean(_: Context, all: bool = False) -> None:  # noqa: A002 (the option's name)
    """Remove the work directory."""
    for folder in build.clean(checked(), everything=all):
        say(f"removed {folder}")
