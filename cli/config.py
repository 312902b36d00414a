"""The tasks `config.*`."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from alchemy import context
from alchemy.commands import build
from alchemy.config import example, model
from cli.command import ROOT, command


@task
@command
def check(_: Context) -> None:
    """Validate config.yml, and the package sets and kernel configurations that it names."""
    build.check_files(context.create(ROOT))
    print("the configuration is valid")


@task
@command
def schema(_: Context) -> None:
    """Print the JSON schema of config.yml, for an editor."""
    print(model.schema(example.explanations((ROOT / example.NAME).read_text(encoding="utf-8"))))
