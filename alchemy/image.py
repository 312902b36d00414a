"""The output: what bin/ holds, with a manifest of it, put there all at once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from alchemy import archive, kernel, parameters, ramfs, system
from alchemy.context import Context
from alchemy.stage import Stage

BOOT_SCRIPT = "boot.ipxe"
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"


def stage(context: Context, kernel_stage: Stage, tree: Stage, disk: Stage, inputs: Mapping[str, Stage]) -> Stage:
    """The stage that yields the complete set of files for bin/. `inputs` are the stages that fetch from outside."""
    config = context.config
    return Stage(
        name="image",
        store=context.cache / "stages",
        inputs={
            "image_name": config.image_name,
            "ramfs_name": config.ramfs_name,
            BOOT_SCRIPT: archive.digest(_boot_template(context), _parameters(context)),
            "script": archive.digest(Path(__file__)),
        },
        needs=(kernel_stage, tree, disk),
        build=lambda output: _build(context, kernel_stage, tree, disk, inputs, output),
    )


def _boot_template(context: Context) -> Path:
    return context.root / "chroot" / "boot.ipxe.j2"


def _parameters(context: Context) -> Path:
    return context.root / "chroot" / "early" / "parameters"


def _build(
    context: Context, kernel_stage: Stage, tree: Stage, disk: Stage, inputs: Mapping[str, Stage], output: Path
) -> None:
    config = context.config
    shutil.copy(kernel_stage.output / kernel.IMAGE, output / config.image_name)
    shutil.copy(disk.output / ramfs.RAMFS, output / config.ramfs_name)
    (output / BOOT_SCRIPT).write_text(boot_script(context), encoding="utf-8")
    outputs = {name: output / name for name in (config.image_name, config.ramfs_name, BOOT_SCRIPT)}
    manifest = {
        "name": "Alchemy Linux",
        "version": context.version,
        "kernel": {
            "release": (kernel_stage.output / kernel.RELEASE).read_text(encoding="ascii").strip(),
            "config_sha256": archive.sha256(kernel_stage.output / "config"),
        },
        "firmware": json.loads((disk.output / ramfs.FIRMWARE).read_text(encoding="utf-8")),
        "packages": json.loads((tree.output / system.PACKAGES).read_text(encoding="utf-8")),
        "outputs": {
            name: {"size": path.stat().st_size, "sha256": archive.sha256(path)} for name, path in outputs.items()
        },
        "inputs": {
            **{name: {**stage.inputs, "sha256": stage.identity} for name, stage in inputs.items()},
            "stages": {stage.name: stage.all_inputs for stage in (tree, kernel_stage, disk)},
        },
    }
    archive.write_json(output / MANIFEST, manifest)
    sums = [f"{archive.sha256(output / name)}  {name}\n" for name in sorted([*outputs, MANIFEST])]
    (output / SUMS).write_text("".join(sums), encoding="ascii")


def boot_script(context: Context) -> str:
    """An iPXE script that boots the image from where the script itself was fetched."""
    return archive.render(
        _boot_template(context),
        version=context.version,
        image=context.config.image_name,
        ramfs=context.config.ramfs_name,
        parameters=parameters.read(_parameters(context)),
    )


def publish(context: Context, image: Stage) -> bool:
    """Makes bin/ what the image stage yields, in one step; returns whether it had to change.

    Files are hard links where the cache is on the same file system. What else a user put into bin/ is kept.
    """
    names = [path.name for path in image.output.iterdir() if path.name != "stage.json"]
    if all(_same(image.output / name, context.bin / name) for name in names):
        return False
    new = context.bin.with_name(f".{context.bin.name}.tmp")
    archive.remove(new)
    new.mkdir()
    for path in context.bin.iterdir() if context.bin.is_dir() else ():
        if path.name not in names:
            _link(path, new / path.name) if path.is_file() else shutil.copytree(path, new / path.name, symlinks=True)
    for name in names:
        _link(image.output / name, new / name)
    os.sync()
    if context.bin.is_dir():
        archive.exchange(new, context.bin)
        archive.remove(new)
    else:
        new.rename(context.bin)
    return True


def _link(source: Path, target: Path) -> None:
    shutil.copy2(source, target)


def _same(one: Path, other: Path) -> bool:
    if not other.is_file():
        return False
    return one.samefile(other) or (
        one.stat().st_size == other.stat().st_size and archive.sha256(one) == archive.sha256(other)
    )
