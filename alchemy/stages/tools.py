"""The tools: a chroot with the programs that make the kernel, the layers and the ramfs.

A stage3 that is made here has them all. One that is fetched is completed (toolbox.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from alchemy.context import Context
from alchemy.host import tarball
from alchemy.stage import Inputs, Pins, Stage, needed
from alchemy.stages import outputs

NAME = "tools"


def stage(context: Context, _: Pins, made: Mapping[str, Stage]) -> Stage | None:
    """Declares the stage that unpacks a stage3 which is made here; None for one that is fetched."""
    if not context.config.stage3_url.startswith("debian:"):
        return None

    def build(output: Path, inputs: Inputs) -> None:
        with context.log.step("tools: unpacking the stage3"):
            stage3 = tarball.of(inputs["stage3"])
            tarball.unpack(context, stage3, output / outputs.TOOLS, context.logfile(NAME), "the stage3")

    return Stage(name=NAME, store=store(context), inputs={}, needs=needed(made, "stage3"), build=build)


def store(context: Context) -> Path:
    """Returns the folder of the cache for tools: they have a gigabyte, which clones share."""
    return context.cache / NAME
