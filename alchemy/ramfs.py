"""The ramdisk: cpio archives behind each other, of the preliminary init, of firmware, and of the system's two squashfs.

The kernel unpacks concatenated archives, each compressed or not (its Documentation/driver-api/early-userspace/
buffer-format.rst). The squashfs are compressed already and stay as they are: a change of the init repacks a megabyte.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from alchemy import archive, firmware, kernel, rootfs, stage3, system
from alchemy.context import Context
from alchemy.stage import Stage

RAMFS = "ramfs"
FIRMWARE = "firmware.json"
UNPACKED = "unpacked"

# what of chroot/ goes into the preliminary environment, and what packs it
_EARLY = ("init", "early")
_PACK = "pack-ramfs.sh"

# The kernel's xz decoder knows CRC32 only.
_COMPRESSION = {"xz": "xz --check=crc32 --lzma2=preset=6e", "zstd": "zstd -19"}


def stage(context: Context, tree: Stage, compiled: Stage, packages: Stage, identity: Stage, tools: Stage) -> Stage:
    """The stage that yields the ramdisk, the list of firmware in it, and how many bytes it unpacks to. `compiled` is
    the kernel, which says what firmware it asks for."""
    return Stage(
        name="ramfs",
        store=context.cache / "stages",
        inputs={
            **{f"chroot/{name}": archive.digest(context.root / "chroot" / name) for name in (*_EARLY, _PACK)},
            "compression": context.config.compression,
            "firmware": " ".join(context.config.firmware),
            "epoch": str(context.epoch),
            "script": archive.digest(Path(__file__), Path(firmware.__file__)),
        },
        needs=(tree, compiled, packages, identity, tools),
        build=lambda output: _build(context, tree, compiled, packages, identity, tools, output),
    )


def _build(
    context: Context, tree: Stage, compiled: Stage, packages: Stage, identity: Stage, tools: Stage, output: Path
) -> None:
    early = output / "early"
    early.mkdir()
    for name in _EARLY:
        archive.merge(context.root / "chroot" / name, early / name)
    shutil.copy(tree.output / system.ROOT / "usr/bin/busybox", early / "busybox")
    chosen = output / "firmware"
    chosen.mkdir()
    _choose_firmware(context, tree, compiled, chosen, output / FIRMWARE)
    packing = dataclasses.replace(
        stage3.tools(tools),
        ro_binds={
            f"/mnt/{_PACK}": context.root / "chroot" / _PACK,
            "/mnt/early": early,
            "/mnt/firmware": chosen,
            f"/mnt/system/{rootfs.PACKAGES}": packages.output / rootfs.PACKAGES,
            f"/mnt/system/{rootfs.IDENTITY}": identity.output / rootfs.IDENTITY,
        },
        binds={"/mnt/out": output},
    )
    command = ["bash", f"/mnt/{_PACK}", _COMPRESSION[context.config.compression], str(context.epoch)]
    with context.log.step("ramfs: packing"):
        context.runner.run(packing.argv(command), log=context.logfile("ramfs"), what=f"chroot/{_PACK}")
    held = [early, chosen, packages.output / rootfs.PACKAGES, identity.output / rootfs.IDENTITY]
    (output / UNPACKED).write_text(f"{sum(map(archive.size, held))}\n", encoding="ascii")
    archive.remove(early)
    archive.remove(chosen)


def _choose_firmware(context: Context, tree: Stage, compiled: Stage, target: Path, listing: Path) -> None:
    configured = context.config.firmware
    patterns = configured or firmware.asked_for(compiled.output / kernel.MODINFO)
    copied, missing = firmware.copy(tree.output / system.FIRMWARE, patterns, target, required=bool(configured))
    archive.write_json(listing, {"files": copied, "missing": missing, "size": archive.size(target)})
