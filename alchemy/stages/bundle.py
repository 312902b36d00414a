"""The bundle: all the files of bin/ with a manifest of them, put there at once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.fetch import pins
from alchemy.fetch.pins import Source
from alchemy.host import files
from alchemy.parts import memory, parameters, sbom, signing
from alchemy.parts.formats import pxe
from alchemy.parts.formats.parts import Format, Parts
from alchemy.parts.hardware import alias_file
from alchemy.stage import RECORD, Inputs, Pin, Pins, Record, Stage, identity
from alchemy.stages import outputs

NAME = "bundle"

# bytes from which a file is not hashed that has kept its size and time
LARGE = 1 << 20

_FORMATS: tuple[Format, ...] = (pxe.write,)

# the files of chroot/ that a boot script is made of
_BOOT_SCRIPT = "chroot/boot.ipxe.j2"
_PARAMETERS = "chroot/early/parameters"

# the stages whose declared inputs the manifest lists
_LISTED = ("system", "kernel", "ramfs")

_TEMPORARY = ".new"


def stage(context: Context, seen: Pins, made: Mapping[str, Stage]) -> Stage:
    """Declares the stage that makes all the files of bin/."""
    config, commit = context.config, _commit(context, seen)
    fetched = {name: stage for name, stage in made.items() if stage.external}
    # the ramfs may be inside
    kernel = made.get("embedded", made["kernel"])
    return Stage(
        name=NAME,
        store=context.cache / "stages",
        inputs={
            "image_name": config.image_name,
            "ramfs_name": config.ramfs_name,
            "embed_ramfs": str(config.embed_ramfs),
            "ram_budget": str(config.ram_budget or ""),
            "boot.ipxe": files.digest(context.root / _BOOT_SCRIPT, context.root / _PARAMETERS),
            # another request may yield the same content: the manifest says which one it was
            **{f"{name}.{key}": value for name, stage in fetched.items() for key, value in stage.inputs.items()},
            "signing_key": signing.identity(context),
            "commit": commit,
            "version": context.version,
            "epoch": str(context.epoch),
        },
        needs={
            "kernel": kernel,
            "system": made["system"],
            "ramfs": made["ramfs"],
            **({"modules-squashfs": made["modules-squashfs"]} if "modules-squashfs" in made else {}),
            **fetched,
        },
        build=lambda output, inputs: _build(context, list(fetched), commit or "", output, inputs),
        cheap=True,
    )


def booted(context: Context) -> list[str]:
    """Returns the files of bin/ that a node boots: the kernel, and the ramfs unless that is inside it."""
    config = context.config
    return [config.image_name, *([] if config.embed_ramfs else [config.ramfs_name])]


def parts(context: Context, kernel: Path, ramfs: Path) -> Parts:
    """Returns what the output formats get: a kernel and a ramfs, named as configured."""
    config = context.config
    return Parts(
        version=context.version,
        kernel=kernel,
        kernel_name=config.image_name,
        ramfs=None if config.embed_ramfs else ramfs,
        ramfs_name=config.ramfs_name,
        boot_script=context.root / _BOOT_SCRIPT,
        parameters=parameters.read(context.root / _PARAMETERS),
    )


def _build(context: Context, fetched: Sequence[str], commit: str, output: Path, inputs: Inputs) -> None:
    config, kernel, system, ramfs = context.config, inputs["kernel"], inputs["system"], inputs["ramfs"]
    need = memory.needed(
        kernel / outputs.KERNEL,
        (ramfs / outputs.RAMFS).stat().st_size,
        int((ramfs / outputs.UNPACKED).read_text(encoding="ascii")),
        embedded=config.embed_ramfs,
    )
    if config.ram_budget is not None:
        memory.check(config.ram_budget, need, system / outputs.ROOT, system / outputs.DATABASE)
    made = parts(context, kernel / outputs.KERNEL, ramfs / outputs.RAMFS)
    names = [name for write in _FORMATS for name in write(made, output)]
    shutil.copy(inputs.get("modules-squashfs", kernel) / alias_file.NAME, output / alias_file.NAME)
    manifest = {
        "name": "Alchemy Linux",
        "version": context.version,
        "commit": commit,
        "ram_mb": need,
        "kernel": {
            "release": (kernel / outputs.RELEASE).read_text(encoding="ascii").strip(),
            "config_sha256": files.sha256(kernel / outputs.KERNEL_CONFIG),
        },
        "firmware": json.loads((ramfs / outputs.FIRMWARE_LIST).read_text(encoding="utf-8")),
        "packages": json.loads((system / outputs.PACKAGES).read_text(encoding="utf-8")),
        **json.loads((system / outputs.ABOUT).read_text(encoding="utf-8")),
        "outputs": {
            name: {"size": (output / name).stat().st_size, "sha256": files.sha256(output / name)} for name in names
        },
        "inputs": {
            **{name: {**Record.read(inputs[name]).inputs, "sha256": identity(inputs[name])} for name in fetched},
            # no keys and no digests of our code: the same files have the same manifest, whoever has built them
            "stages": {name: Record.read(inputs[name]).inputs for name in _LISTED},
        },
    }
    files.write_json(output / outputs.MANIFEST, manifest)
    (output / outputs.SBOM).write_text(sbom.document(manifest, context.epoch), encoding="utf-8")
    listed = sorted([*names, alias_file.NAME, outputs.MANIFEST, outputs.SBOM])
    sums = [f"{files.sha256(output / name)}  {name}\n" for name in listed]
    (output / outputs.SUMS).write_text("".join(sums), encoding="ascii")
    signing.sign(context, output / outputs.SUMS)


def source(context: Context) -> Source | None:
    """Returns the commit of the repository to look up; None for a copy without git's history."""
    if not (context.root / ".git").exists():
        return None
    return Source("commit", str(context.root), lambda _: _describe(context), local=True)


def _commit(context: Context, seen: Pins) -> str | None:
    """Returns the commit as it was last looked up; None when it never was, empty for a copy without git's history."""
    asked = source(context)
    if asked is None:
        return ""
    pin = pins.known(context, seen, asked)
    return None if pin is None else pin["commit"]


def _describe(context: Context) -> Pin:
    """Asks git for the commit, with `-dirty` appended when files were changed since. It is empty where there is no git,
    or where git does not trust the owner of the repository."""
    try:
        describe = ["describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
        commit = context.runner.capture(["git", "-C", context.root, "--no-optional-locks", *describe]).strip()
    except (BuildError, UserError):
        commit = ""
    return {"commit": commit}


def publish(context: Context, bundle: Stage) -> bool:
    """Puts the bundle into bin/ in one step; returns whether anything had to change.

    Other files that a user has in bin/ are kept. A bin/ that is a mount point cannot be exchanged: its files are
    replaced one by one.
    """
    mounted = context.bin.is_mount()
    new = context.bin / _TEMPORARY if mounted else context.bin.with_name(f".{context.bin.name}.tmp")
    files.remove(new)
    output = bundle.output
    made = [path.relative_to(output) for path in output.rglob("*") if path.is_file()]
    names = [str(path) for path in made if path.name != RECORD]
    # a signature or a ramfs of another bundle does not fit
    ours = [context.config.ramfs_name, *(f"{outputs.SUMS}{suffix}" for suffix in signing.SUFFIXES)]
    stale = [context.bin / name for name in ours if name not in names]
    if all(_same(output / name, context.bin / name) for name in names) and not any(map(Path.exists, stale)):
        return False
    try:
        new.mkdir()
        for path in context.bin.iterdir() if context.bin.is_dir() and not mounted else ():
            if path.name not in names and path not in stale:
                _copy(path, new / path.name)
        for name in names:
            files.remove(new / name)
            _make_parent(new / name)
            _copy(output / name, new / name)
        os.sync()
        if mounted:
            for path in stale:
                files.remove(path)
            _replace_each(names, new, context.bin)
        elif context.bin.is_dir():
            files.exchange(new, context.bin)
        else:
            new.rename(context.bin)
    finally:
        files.remove(new)
    return True


def _copy(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _make_parent(path: Path) -> None:
    """Makes the folder of a file, in place of a file or a link of its name."""
    if path.parent.is_symlink() or not path.parent.is_dir():
        files.remove(path.parent)
        path.parent.mkdir()


def _replace_each(names: Sequence[str], new: Path, old: Path) -> None:
    """Moves the files of `new` over those of `old`, SHA256SUMS last: until then it tells that the set is incomplete."""
    for name in sorted(names, key=lambda name: name == outputs.SUMS):
        target = old / name
        if target.is_dir():
            files.remove(target)
        _make_parent(target)
        (new / name).replace(target)


def _same(one: Path, other: Path) -> bool:
    """Returns whether a file of the bundle is already in bin/.

    A large one that has kept the time of its copying is not hashed: SHA256SUMS, which is, has its digest.
    """
    if not other.is_file():
        return False
    new, old = one.stat(), other.stat()
    if new.st_size != old.st_size:
        return False
    unchanged = new.st_size >= LARGE and new.st_mtime_ns == old.st_mtime_ns
    return unchanged or files.sha256(one) == files.sha256(other)
