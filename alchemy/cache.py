"""What the cache holds, and what of it may go."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alchemy import archive, lock, log, portage
from alchemy.context import Context

_DAY = 86400

# bounds itself (ccache's max_size), and an entry of it alone is of no use
_SELF_KEEPING = "ccache"


# the kinds that come from outside; the others are made of them
FETCHED = ("distfiles", "kernel", "stage3", "trees")

# what was looked up outside (pins.py)
_ANSWERS = "seen.json"


@dataclass(frozen=True)
class Entry:
    """What is kept or removed as one: a stage's output, a binary package, a source file. `size` is in bytes, `used`
    the time of its last use in seconds since the epoch."""

    kind: str
    path: Path
    size: int
    used: float


def entries(context: Context) -> list[Entry]:
    """All that the cache holds, by kind: the folders of the cache."""
    found = []
    for folder in sorted(path for path in context.cache.glob("[!.]*") if path.is_dir()):
        found += [
            Entry(folder.name, path, sum(file.lstat().st_size for file in _files(path)), _used(path))
            for path in _units(folder)
        ]
    return found


def info(context: Context) -> dict[str, Any]:
    """Bytes and number of entries of each kind, and days since the least recent use among them."""
    now = time.time()
    kinds: dict[str, dict[str, Any]] = {}
    for entry in entries(context):
        kind = kinds.setdefault(entry.kind, {"entries": 0, "bytes": 0, "oldest_days": 0})
        kind["entries"] += 1
        kind["bytes"] += entry.size
        kind["oldest_days"] = max(kind["oldest_days"], int((now - entry.used) / _DAY))
    return {"cache_dir": str(context.cache), "bytes": sum(kind["bytes"] for kind in kinds.values()), "kinds": kinds}


def info_text(described: dict[str, Any]) -> str:
    """What info says, for a person."""
    lines = [f"{described['cache_dir']}  {log.size(described['bytes'])}"]
    for name, kind in described["kinds"].items():
        unused = f"unused for {kind['oldest_days']} days at most"
        lines.append(f"  {name:10} {kind['entries']:5}  {log.size(kind['bytes']):>10}  {unused}")
    return "\n".join(lines)


def prune(context: Context, keep_days: int) -> list[Entry]:
    """Removes what was not used within the last `keep_days` days, and returns it; and what a killed build has left.

    Raises UserError while a build runs, of any clone that shares the cache.
    """
    oldest = time.time() - keep_days * _DAY
    with lock.exclusive(context):
        tidy(context)
        gone = [entry for entry in entries(context) if entry.used < oldest and entry.kind != _SELF_KEEPING]
        for entry in gone:
            archive.remove(entry.path)
        _forget_binary_packages(context, gone)
    return gone


def tidy(context: Context) -> None:
    """Removes what a killed build has left half-made. Only for who holds the locks."""
    for left_behind in context.cache.glob("*/.*.tmp"):
        # what is borrowed may be in use, by who has other locks
        if not left_behind.parent.is_symlink():
            archive.remove(left_behind)


def borrow(context: Context, folder: Path, kinds: Iterable[str]) -> Path:
    """Makes a new cache that has some kinds of things in common with that of `context`, and no others; returns it."""
    folder.mkdir(parents=True)
    for kind in kinds:
        (context.cache / kind).mkdir(exist_ok=True)
        (folder / kind).symlink_to(context.cache / kind)
    if (context.cache / _ANSWERS).exists():
        shutil.copy(context.cache / _ANSWERS, folder)
    return folder


def _forget_binary_packages(context: Context, gone: Iterable[Entry]) -> None:
    """Portage's index of a folder of binary packages would name what is gone: it makes a new one."""
    packages = context.cache / "packages"
    for folder in {packages / entry.path.relative_to(packages).parts[0] for entry in gone if entry.kind == "packages"}:
        (folder / "Packages").unlink(missing_ok=True)


def _units(folder: Path) -> Iterator[Path]:
    if folder.name == _SELF_KEEPING:
        yield folder
    elif folder.name == "packages":
        yield from sorted(folder.rglob(f"*{portage.BINPKG_SUFFIX}"))
    else:
        yield from sorted(folder.glob("[!.]*"))


def _files(path: Path) -> Iterator[Path]:
    return (file for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_symlink() or file.is_file())


def _used(path: Path) -> float:
    """A stage marks its output when it is used (Stage.use); for a file the kernel notes when it was read, on most
    file systems once a day (relatime in mount(8))."""
    status = path.lstat()
    return status.st_mtime if path.is_dir() else max(status.st_atime, status.st_mtime)
