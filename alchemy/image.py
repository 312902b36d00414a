"""The output: what bin/ holds, with a manifest of it, put there all at once."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from alchemy import archive, kernel, memory, parameters, ramfs, sbom, signing, system
from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.stage import Stage

BOOT_SCRIPT = "boot.ipxe"
MANIFEST = "manifest.json"
SBOM = "alchemy.cdx.json"
SUMS = "SHA256SUMS"

_TEMPORARY = ".new"


def stage(context: Context, kernel_stage: Stage, tree: Stage, disk: Stage, inputs: tuple[Stage, ...]) -> Stage:
    """The stage that yields the complete set of files for bin/. `inputs` are the stages that fetch from outside."""
    config = context.config
    return Stage(
        name="image",
        store=context.cache / "stages",
        inputs={
            "image_name": config.image_name,
            "ramfs_name": config.ramfs_name,
            "embed_ramfs": str(config.embed_ramfs),
            "ram_budget": str(config.ram_budget or ""),
            BOOT_SCRIPT: archive.digest(_boot_template(context), _parameters(context)),
            # what is fetched may be the same for another request: the manifest says which it was
            **{f"{stage.name}.{name}": value for stage in inputs for name, value in stage.inputs.items()},
            "signing_key": signing.identity(context),
            "commit": _commit(context),
            "script": archive.digest(
                *(Path(module.__file__ or "") for module in (memory, sbom, signing)), Path(__file__)
            ),
        },
        needs=(kernel_stage, tree, disk),
        build=lambda output: _build(context, kernel_stage, tree, disk, inputs, output),
    )


def booted(context: Context) -> list[str]:
    """The files of bin/ that a node boots: the kernel, and the ramdisk unless that is inside it."""
    config = context.config
    return [config.image_name, *([] if config.embed_ramfs else [config.ramfs_name])]


def _boot_template(context: Context) -> Path:
    return context.root / "chroot" / "boot.ipxe.j2"


def _parameters(context: Context) -> Path:
    return context.root / "chroot" / "early" / "parameters"


def _build(
    context: Context, kernel_stage: Stage, tree: Stage, disk: Stage, inputs: tuple[Stage, ...], output: Path
) -> None:
    config = context.config
    shutil.copy(kernel_stage.output / kernel.IMAGE, output / config.image_name)
    need = memory.needed(
        kernel_stage.output / kernel.IMAGE,
        (disk.output / ramfs.RAMFS).stat().st_size,
        int((disk.output / ramfs.UNPACKED).read_text(encoding="ascii")),
        embedded=config.embed_ramfs,
    )
    if config.ram_budget is not None:
        memory.check(config.ram_budget, need, tree.output / system.ROOT, tree.output / system.DATABASE)
    if not config.embed_ramfs:
        shutil.copy(disk.output / ramfs.RAMFS, output / config.ramfs_name)
    (output / BOOT_SCRIPT).write_text(boot_script(context), encoding="utf-8")
    outputs = {name: output / name for name in (*booted(context), BOOT_SCRIPT)}
    manifest = {
        "name": "Alchemy Linux",
        "version": context.version,
        "commit": _commit(context),
        "ram_mb": need,
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
            **{stage.name: {**stage.inputs, "sha256": stage.identity} for stage in inputs},
            "stages": {stage.name: stage.all_inputs for stage in (tree, kernel_stage, disk)},
        },
    }
    archive.write_json(output / MANIFEST, manifest)
    (output / SBOM).write_text(sbom.document(manifest, context.epoch), encoding="utf-8")
    sums = [f"{archive.sha256(output / name)}  {name}\n" for name in sorted([*outputs, MANIFEST, SBOM])]
    (output / SUMS).write_text("".join(sums), encoding="ascii")
    signing.sign(context, output / SUMS)


def _commit(context: Context) -> str:
    """The commit of the repository, with `-dirty` behind it when files of it were changed since; none in a copy without
    git's history, or when git does not trust its owner."""
    if not (context.root / ".git").exists():
        return ""
    try:
        describe = ["describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
        return context.runner.capture(["git", "-C", context.root, "--no-optional-locks", *describe]).strip()
    except BuildError:
        return ""


def boot_script(context: Context) -> str:
    """An iPXE script that boots the image from where the script itself was fetched."""
    return archive.render(
        _boot_template(context),
        version=context.version,
        image=context.config.image_name,
        ramfs="" if context.config.embed_ramfs else context.config.ramfs_name,
        parameters=parameters.read(_parameters(context)),
    )


def publish(context: Context, image: Stage) -> bool:
    """Makes bin/ what the image stage yields, in one step; returns whether it had to change.

    What else a user put into bin/ is kept. A bin/ that is a mount point cannot be exchanged: its files are, one by one.
    """
    mounted = context.bin.is_mount()
    new = context.bin / _TEMPORARY if mounted else context.bin.with_name(f".{context.bin.name}.tmp")
    archive.remove(new)
    names = [path.name for path in image.output.iterdir() if path.name != "stage.json"]
    # a signature or a ramdisk of another set would be a bad one
    ours = [context.config.ramfs_name, *(f"{SUMS}{suffix}" for suffix in signing.SUFFIXES)]
    stale = [context.bin / name for name in ours if name not in names]
    if all(_same(image.output / name, context.bin / name) for name in names) and not any(map(Path.exists, stale)):
        return False
    try:
        new.mkdir()
        for path in context.bin.iterdir() if context.bin.is_dir() and not mounted else ():
            if path.name not in names and path not in stale:
                _copy(path, new / path.name)
        for name in names:
            _copy(image.output / name, new / name)
        os.sync()
        if mounted:
            for path in stale:
                archive.remove(path)
            _replace_each(new, context.bin)
        elif context.bin.is_dir():
            archive.exchange(new, context.bin)
        else:
            new.rename(context.bin)
    finally:
        archive.remove(new)
    return True


def _copy(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _replace_each(new: Path, old: Path) -> None:
    """Moves the files of `new` over those of `old`, the digests last: until then they tell that it is no whole set."""
    for path in sorted(new.iterdir(), key=lambda path: path.name == SUMS):
        target = old / path.name
        if target.is_dir():
            archive.remove(target)
        path.replace(target)


def _same(one: Path, other: Path) -> bool:
    if not other.is_file():
        return False
    return one.samefile(other) or (
        one.stat().st_size == other.stat().st_size and archive.sha256(one) == archive.sha256(other)
    )
