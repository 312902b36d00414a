"""Packs folders as squashfs: the same bytes for the same files, whenever they were written."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from alchemy.config.arch import ARCH
from alchemy.context import Context
from alchemy.host.chroot import Chroot

# xz with blocks of 1 MB and the filter for machine code is the smallest; zstd is quicker to read
_COMPRESSION = {
    "xz": ["-comp", "xz", "-b", "1M", "-Xbcj", ARCH.bcj],
    "zstd": ["-comp", "zstd", "-b", "1M", "-Xcompression-level", "19"],
}
# A few scripts and settings fill one or two blocks of 1 MB: a single processor compresses each, and with the filter
# twice. In blocks of 256 kB they are packed in a third of the time, and take a tenth more.
_COMPRESSION_OF_TEXT = {
    "xz": ["-comp", "xz", "-b", "256K"],
    "zstd": ["-comp", "zstd", "-b", "256K", "-Xcompression-level", "19"],
}


def inputs(context: Context) -> dict[str, str]:
    """Returns what of the configuration decides how a folder is packed."""
    return {"compression": context.config.compression, "epoch": str(context.epoch)}


def pack(context: Context, tools: Chroot, folder: Path, squashfs: Path, stage: str, *, is_text: bool = False) -> None:
    """Packs a folder into the file `squashfs`, for a stage, by mksquashfs of the chroot `tools`.

    A folder that `is_text` holds a few megabytes at most, and no machine code.
    """
    compression = _COMPRESSION_OF_TEXT if is_text else _COMPRESSION
    packing = dataclasses.replace(tools, ro_binds={"/mnt/root": folder}, binds={"/mnt/out": squashfs.parent})
    command = ["mksquashfs", "/mnt/root", f"/mnt/out/{squashfs.name}", *compression[context.config.compression]]
    command += ["-reproducible", "-all-time", str(context.epoch), "-mkfs-time", str(context.epoch)]
    command += ["-no-exports", "-no-progress", "-noappend", "-processors", str(context.config.jobs)]
    with context.log.step(f"{stage}: packing"):
        context.runner.run(packing.argv(command), log=context.logfile(stage), what=f"packing {squashfs.name}")
