"""The tools of a fetched stage3: the packages of packages.build that it lacks are built in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from alchemy.context import Context
from alchemy.host import files
from alchemy.portage import buildroot, repositories, settings
from alchemy.stage import Inputs, Pins, Stage, needed
from alchemy.stages import outputs, tools

# the package set of the programs that build
_SET = "build"


def stage(context: Context, _: Pins, made: Mapping[str, Stage]) -> Stage | None:
    """Declares the stage that completes a stage3 which was fetched; None for one that is made here."""
    if context.config.stage3_url.startswith("debian:"):
        return None
    trees = [name for name in repositories.TREES if name in made]
    read = [f"packages/packages.{_SET}", "etc/portage", *buildroot.SCRIPTS]
    return Stage(
        name=tools.NAME,
        store=tools.store(context),
        inputs={name: files.digest(context.root / name) for name in read},
        needs=needed(made, "stage3", *trees),
        build=lambda output, inputs: _build(context, trees, output, inputs),
        progress=settings.PROGRESS,
    )


def _build(context: Context, trees: list[str], output: Path, inputs: Inputs) -> None:
    sets = buildroot.read_sets(context, [_SET])
    available = repositories.collect(context, {name: inputs[name] for name in trees})
    root = output / outputs.TOOLS
    inside, packages = buildroot.prepare(context, inputs["stage3"], root, available, sets, tools.NAME, apart=True)
    buildroot.build(context, inside, packages, sets, tools.NAME)
