"""The modules squashfs: the kernel's modules, and depmod's index of them and of those that packages bring."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.host import files
from alchemy.host.rooted import Rooted
from alchemy.parts import modules, squashfs
from alchemy.parts.hardware import alias_file, device_tables
from alchemy.stage import Inputs, Pins, Stage, needed
from alchemy.stages import outputs

NAME = "modules-squashfs"

_FOLDER = "lib/modules"


def stage(context: Context, _: Pins, made: Mapping[str, Stage]) -> Stage | None:
    """Declares the stage that packs the modules, and completes the modules.alias of the kernel; None unless
    kernel_modules asks for it."""
    if not context.config.kernel_modules:
        return None
    return Stage(
        name=NAME,
        store=context.cache / "stages",
        inputs=squashfs.inputs(context),
        needs=needed(made, "kernel", "system", "tools"),
        build=lambda output, inputs: _build(context, output, inputs),
        cheap=True,
    )


def _build(context: Context, output: Path, inputs: Inputs) -> None:
    kernel, root = inputs["kernel"], inputs["system"] / outputs.ROOT
    release = (kernel / outputs.RELEASE).read_text(encoding="ascii").strip()
    work = context.work / "modules"
    files.remove(work)
    # depmod looks in /lib/modules or in /usr/lib/modules, as it was configured
    indexed = work / "all/usr" / _FOLDER / release
    indexed.parent.mkdir(parents=True)
    (work / "all/lib").symlink_to("usr/lib")
    brought = _of_packages(root, release)
    if brought is not None:
        files.merge(brought, indexed)
    modinfo = modules.modinfo(indexed) if brought is not None else b""
    (output / outputs.MODINFO).write_bytes(modinfo)
    driven = (kernel / alias_file.NAME).read_text(encoding="ascii")
    driven = alias_file.extended(driven, device_tables.of_modinfo(modinfo), modinfo)
    (output / alias_file.NAME).write_text(driven, encoding="ascii")
    of_packages = modules.find(indexed)
    files.merge(kernel / outputs.MODULES, indexed)
    tools = dataclasses.replace(outputs.tools(inputs["tools"]), binds={"/mnt/modules": work / "all"}, capabilities=())
    with context.log.step(f"{NAME}: indexing {len(modules.find(indexed))} modules"):
        depmod = ["depmod", "--all", "--errsyms", "--basedir", "/mnt/modules", release]
        context.runner.run(tools.argv(depmod), log=context.logfile(NAME), what="depmod")
    for path in of_packages:
        # they are in the system squashfs
        path.unlink()
    # where /lib is a link, a folder of that name in an upper layer would hide all that it leads to
    place = work / "layer" / ("usr" if (root / "lib").is_symlink() else "") / _FOLDER
    place.parent.mkdir(parents=True)
    indexed.parent.rename(place)
    squashfs.pack(context, tools, work / "layer", output / outputs.MODULES_SQUASHFS, NAME)
    files.remove(work)


def _of_packages(root: Path, release: str) -> Path | None:
    """Returns the folder of the modules that packages have brought; None when there are none.

    Raises BuildError for modules of another kernel.
    """
    tree = Rooted(root)
    others = [name for name in tree.names(_FOLDER) if name != release]
    if others:
        raise BuildError(
            f"/{_FOLDER}: modules of another kernel (expected {release}, got {', '.join(others)})",
            hint=f"the packages that brought them have to be built against this one: see {_FOLDER} in their CONTENTS",
        )
    return tree.resolve(f"{_FOLDER}/{release}")
