"""The kernel with the ramfs inside, for embed_ramfs: one file to boot."""

from __future__ import annotations

from collections.abc import Mapping

from alchemy.context import Context
from alchemy.stage import Pins, Stage, needed
from alchemy.stages import kernel, outputs

NAME = "embedded"


def stage(context: Context, _: Pins, made: Mapping[str, Stage]) -> Stage | None:
    """Declares the stage that links the kernel with the ramfs inside; None unless embed_ramfs asks for it.

    It takes the objects that the kernel stage has compiled.
    """
    if not context.config.embed_ramfs:
        return None
    return Stage(
        name=NAME,
        store=context.cache / "stages",
        inputs=kernel.declared(context),
        needs=needed(made, "tools", "linux", "kernel", "ramfs"),
        build=lambda output, inputs: kernel.compile_image(
            context, NAME, output, inputs, inputs["ramfs"] / outputs.RAMFS
        ),
    )
