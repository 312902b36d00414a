"""How much RAM a node needs to boot an image, computed of what is in it.

Most is needed while the kernel unpacks the ramdisk: then RAM holds the kernel with the space that it was unpacked in,
the ramdisk as the boot loader left it, and what comes out of it. The ramdisk is given back before the first service
starts, and its room is theirs. tests/boot boots an image in a machine of just so much.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from alchemy import log
from alchemy.errors import BuildError

_MB = 1 << 20

# of a bzImage: bytes from where the kernel starts that it needs to unpack itself and for its own data (init_size in the
# kernel's Documentation/arch/x86/boot.rst)
_INIT_SIZE = slice(0x260, 0x264)

# what the kernel allocates as it starts, and what the processes of a booted node hold: measured, and rounded up
_ALLOCATED = 40 * _MB
_PROCESSES = 96 * _MB

# what the ramdisk unpacks to may fill this part of what the kernel has for use at first (initramfs_options in kernels/)
_FOR_RAMDISK = 1 / 2

# the kernel keeps 64 bytes for each page of 4096, whatever the page is for
_USABLE = 63 / 64

_LARGEST = 10


def needed(kernel: Path, ramfs: int, unpacked: int, *, embedded: bool) -> int:
    """MB of RAM that a node needs to boot `kernel` with a ramdisk of `ramfs` bytes, in which there are `unpacked`
    bytes. One that is `embedded` is part of the kernel's own data."""
    with kernel.open("rb") as file:
        init_size = int.from_bytes(file.read(_INIT_SIZE.stop)[_INIT_SIZE], "little")
    loaded = 0 if embedded else ramfs
    free = max(unpacked + max(0, _PROCESSES - ramfs) + _ALLOCATED, unpacked / _FOR_RAMDISK)
    return -int(-(init_size + loaded + free) / _USABLE // _MB)


def check(budget: int, need: int, tree: Path, database: Path) -> None:
    """Raises BuildError, which names the largest packages of the image `tree`, when it needs more than the budget, in
    MB. `database` is Portage's of the tree."""
    if need <= budget:
        return
    largest = sorted(sizes(tree, database).items(), key=lambda item: item[1], reverse=True)[:_LARGEST]
    lines = [
        f"ram_budget: a node needs {need} MB of RAM for this image, and the budget is {budget} MB",
        "the largest packages, before compression:",
        *(f"  {log.size(count):>10}  {name}" for name, count in largest),
    ]
    raise BuildError("\n".join(lines), hint="take packages out of the sets, or ask for less firmware")


def sizes(tree: Path, database: Path) -> Mapping[str, int]:
    """Bytes that each package, `category/name-version`, has in the tree: the files of it that are there."""
    found = {}
    for contents in database.glob("*/*/CONTENTS"):
        # obj NAME MD5 MTIME, of which the name may have blanks (PMS leaves the format to Portage)
        lines = contents.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        names = (line.split(" ", 1)[1].rsplit(" ", 2)[0] for line in lines if line.startswith("obj "))
        files = (tree / name.lstrip("/") for name in names)
        package = f"{contents.parent.parent.name}/{contents.parent.name}"
        found[package] = sum(file.lstat().st_size for file in files if file.exists())
    return found
