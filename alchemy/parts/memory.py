"""Computes how much RAM a node needs to boot an image.

The peak is while the kernel unpacks the ramfs: then RAM holds the kernel with the space it was decompressed in, the
ramfs as the boot loader left it, and its unpacked content. The ramfs is freed before the first service starts, which
then has that space. tests/boot boots an image in a machine with exactly this much RAM.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from alchemy.errors import BuildError
from alchemy.host.rooted import Rooted
from alchemy.portage.contents import entries
from alchemy.ui import events

_MB = 1 << 20

# in a bzImage: the bytes that the kernel needs, from its start, to decompress itself and for its own data (init_size in
# its Documentation/arch/x86/boot.rst)
_INIT_SIZE = slice(0x260, 0x264)

# bytes that the kernel allocates when it starts, and that the processes of a booted node use: 60 MB together, measured
# in a node that answers SSH, and half as much again for whoever logs in
_ALLOCATED = 40 * _MB
_PROCESSES = 48 * _MB

# the unpacked ramfs may fill this part of the RAM that the kernel has left at first (initramfs_options in kernels/)
_FOR_RAMDISK = 1 / 2

# the kernel keeps 64 bytes for each page of 4096
_USABLE = 63 / 64

_LARGEST = 10


def needed(kernel: Path, ramfs: int, unpacked: int, *, embedded: bool) -> int:
    """Returns the MB of RAM that a node needs to boot `kernel` with a ramfs of `ramfs` bytes, which unpacks to
    `unpacked` bytes. An `embedded` ramfs is part of the data of the kernel."""
    with kernel.open("rb") as file:
        init_size = int.from_bytes(file.read(_INIT_SIZE.stop)[_INIT_SIZE], "little")
    loaded = 0 if embedded else ramfs
    free = max(unpacked + max(0, _PROCESSES - ramfs) + _ALLOCATED, unpacked / _FOR_RAMDISK)
    return -int(-(init_size + loaded + free) / _USABLE // _MB)


def check(budget: int, need: int, tree: Path, database: Path) -> None:
    """Raises BuildError when the image needs more MB than the budget. The error names the largest packages of the root
    tree `tree`, whose Portage database is `database`."""
    if need <= budget:
        return
    largest = sorted(sizes(tree, database).items(), key=lambda item: item[1], reverse=True)[:_LARGEST]
    lines = [
        f"ram_budget: exceeded (expected at most {budget} MB of RAM, got {need} MB)",
        "the largest packages, before compression:",
        *(f"  {events.size(count):>10}  {name}" for name, count in largest),
    ]
    raise BuildError("\n".join(lines), hint="remove packages from the sets, choose less firmware, or raise ram_budget")


def sizes(tree: Path, database: Path) -> Mapping[str, int]:
    """Returns the bytes of the files in the tree by package, `category/name-version`."""
    found = {}
    image, packages = Rooted(tree), Rooted(database)
    for contents in packages.glob("*/*/CONTENTS"):
        files = (image.lstat(name) for kind, name in entries(packages, contents) if kind == "obj")
        found[contents.removesuffix("/CONTENTS")] = sum(file.st_size for file in files if file is not None)
    return found
