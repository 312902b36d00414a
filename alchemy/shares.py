"""How much of the packed system each package is.

A squashfs packs the files of all packages together, so that what one of them adds can't be read off it. So each
package's files are compressed by themselves, by a quick compressor that sees no further than a block of the squashfs:
the proportions are those of xz too, within a few hundredths.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import zstandard

from alchemy import portage

_PARAMETERS = zstandard.ZstdCompressionParameters.from_level(3, window_log=20)


def weigh(root: Path, database: Path) -> dict[str, int]:
    """The compressed bytes of each package's files, by its name, with its slot where there are several of that name:
    `net-misc/iperf:3`. `database` is Portage's of the tree at `root` (/var/db/pkg)."""
    names = {folder: _name(folder) for folder in sorted(database.glob("*/*"))}
    times = Counter(names.values())
    return {
        name if times[name] == 1 else f"{name}:{_slot(folder)}": _weight(root, folder) for folder, name in names.items()
    }


def _name(folder: Path) -> str:
    return f"{folder.parent.name}/{portage.split_version(folder.name)[0]}"


def _slot(folder: Path) -> str:
    return (folder / "SLOT").read_text(encoding="utf-8").strip().split("/")[0]


def _weight(root: Path, folder: Path) -> int:
    """A file with several names counts once."""
    compressor = zstandard.ZstdCompressor(compression_params=_PARAMETERS).compressobj()
    seen: set[int] = set()
    size = 0
    for path in _files(root, folder / "CONTENTS"):
        inode = path.stat().st_ino
        if inode not in seen:
            seen.add(inode)
            size += len(compressor.compress(path.read_bytes()))
    return size + len(compressor.flush()) if seen else 0


def _files(root: Path, contents: Path) -> Iterator[Path]:
    """The files of a package (PMS, 'installed package database') that are in the tree, which its firmware is not."""
    for line in contents.read_text(encoding="utf-8").splitlines():
        kind, _, rest = line.partition(" ")
        path = root / rest.rsplit(" ", 2)[0].lstrip("/")
        if kind == "obj" and path.is_file():
            yield path
