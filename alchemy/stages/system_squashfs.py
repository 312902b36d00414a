"""The system squashfs: the root tree, packed.

Packing it takes most of the time of a build that compiles nothing. What makes the image Alchemy Linux is in a layer of
its own, so changing etc/ or the version does not repack this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from alchemy.context import Context
from alchemy.host import files
from alchemy.parts import package_sizes, squashfs
from alchemy.stage import Inputs, Pins, Stage, needed
from alchemy.stages import outputs

NAME = "system-squashfs"


def stage(context: Context, _: Pins, made: Mapping[str, Stage]) -> Stage:
    """Declares the stage that packs the root tree, and weighs each package in it."""
    return Stage(
        name=NAME,
        store=context.cache / "stages",
        inputs=squashfs.inputs(context),
        needs=needed(made, "system", "tools"),
        build=lambda output, inputs: _build(context, output, inputs),
        cheap=True,
    )


def _build(context: Context, output: Path, inputs: Inputs) -> None:
    root = inputs["system"] / outputs.ROOT
    squashfs.pack(context, outputs.tools(inputs["tools"]), root, output / outputs.SYSTEM_SQUASHFS, NAME)
    weights = package_sizes.weigh(root, inputs["system"] / outputs.DATABASE)
    files.write_json(output / outputs.WEIGHTS, weights)
