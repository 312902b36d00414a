"""The ramdisk: two cpio archives behind each other, one of the preliminary init, one of the system's squashfs.

The kernel unpacks concatenated archives, each compressed or not (its Documentation/driver-api/early-userspace/
buffer-format.rst). The squashfs is compressed already and stays as it is; so a change of the init repacks a megabyte.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from alchemy import archive, rootfs, stage3, system
from alchemy.context import Context
from alchemy.stage import Stage

RAMFS = "ramfs"

# what of chroot/ goes into the preliminary environment, and what packs it
_EARLY = ("init", "early")
_PACK = "pack-ramfs.sh"

# The kernel's xz decoder knows CRC32 only.
_COMPRESSION = {"xz": "xz --check=crc32 --lzma2=preset=6e", "zstd": "zstd -19"}


def stage(context: Context, tree: Stage, root: Stage, tools: Stage) -> Stage:
    """The stage that yields the ramdisk."""
    return Stage(
        name="ramfs",
        store=context.cache / "stages",
        inputs={
            **{f"chroot/{name}": archive.digest(context.root / "chroot" / name) for name in (*_EARLY, _PACK)},
            "compression": context.config.compression,
            "epoch": str(context.epoch),
            "script": archive.digest(Path(__file__)),
        },
        needs=(tree, root, tools),
        build=lambda output: _build(context, tree, root, tools, output),
    )


def _build(context: Context, tree: Stage, root: Stage, tools: Stage, output: Path) -> None:
    early = output / "early"
    early.mkdir()
    shutil.copy(context.root / "chroot" / "init", early / "init")
    shutil.copytree(context.root / "chroot" / "early", early / "early")
    shutil.copy(tree.output / system.ROOT / "usr/bin/busybox", early / "busybox")
    packing = dataclasses.replace(
        stage3.tools(tools),
        ro_binds={
            f"/mnt/{_PACK}": context.root / "chroot" / _PACK,
            "/mnt/early": early,
            "/mnt/system": root.output / rootfs.SQUASHFS,
        },
        binds={"/mnt/out": output},
    )
    command = ["bash", f"/mnt/{_PACK}", _COMPRESSION[context.config.compression], str(context.epoch)]
    with context.log.step("ramfs: packing"):
        context.runner.run(packing.argv(command), log=context.logfile("ramfs"), what=f"chroot/{_PACK}")
    archive.remove(early)
