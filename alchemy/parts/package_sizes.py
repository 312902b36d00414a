"""Estimates how much of the system squashfs each package takes.

A squashfs compresses the files of all packages together, so it does not tell what one of them adds. This compresses the
files of each package separately, with a fast compressor whose window is a block of the squashfs. The proportions differ
from those of xz by a few percent at most.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import zstandard

from alchemy.host.rooted import Rooted
from alchemy.portage import settings
from alchemy.portage.contents import entries

_PARAMETERS = zstandard.ZstdCompressionParameters.from_level(3, window_log=20)


def weigh(root: Path, database: Path) -> dict[str, int]:
    """Returns the compressed bytes of the files of each package, by its name, and with its slot where several have that
    name: `net-misc/iperf:3`. `database` is the Portage database of the root tree (/var/db/pkg)."""
    packages = Rooted(database)
    names = {folder: _name(folder) for folder in packages.glob("*/*")}
    times = Counter(names.values())
    return {
        name if times[name] == 1 else f"{name}:{_slot(packages, folder)}": _weight(Rooted(root), packages, folder)
        for folder, name in names.items()
    }


def _name(folder: str) -> str:
    category, full = folder.split("/")
    return f"{category}/{settings.split_version(full)[0]}"


def _slot(packages: Rooted, folder: str) -> str:
    return packages.text(f"{folder}/SLOT").strip().split("/")[0]


def _weight(tree: Rooted, packages: Rooted, folder: str) -> int:
    """Returns the compressed bytes of a package. A file with several names counts once."""
    compressor = zstandard.ZstdCompressor(compression_params=_PARAMETERS).compressobj()
    seen: set[int] = set()
    size = 0
    for path in _files(tree, packages, f"{folder}/CONTENTS"):
        with tree.open(path) as file:
            inode = os.fstat(file.fileno()).st_ino
            if inode not in seen:
                seen.add(inode)
                size += sum(len(compressor.compress(block)) for block in iter(partial(file.read, 1 << 20), b""))
    return size + len(compressor.flush()) if seen else 0


def _files(tree: Rooted, packages: Rooted, contents: str) -> Iterator[str]:
    """Yields the files of a package that are in the root tree. Its firmware is not."""
    return (name for kind, name in entries(packages, contents) if kind == "obj" and tree.is_file(name))
