"""The commands cache.*: describes the cache, and removes entries that were not used for some time."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alchemy.context import Context
from alchemy.host import files, folders, locking
from alchemy.parts import sitesecret
from alchemy.portage import settings
from alchemy.ui import events

_DAY = 86400

# the kinds that are downloaded; the others are built from them
FETCHED = ("distfiles", "kernel", "stage3", "trees")

# the last pins (pins.py), and the secret that salts passwords: without them a build gives other bytes
_SHARED = ("seen.json", sitesecret.NAME)


@dataclass(frozen=True)
class Entry:
    """What is kept or removed as a whole: the output of a stage, a binary package, a source file.

    `size` is in bytes, `used` is the time of the last use in seconds since the epoch.
    """

    kind: str
    path: Path
    size: int
    used: float


def entries(context: Context) -> list[Entry]:
    """Returns everything in the cache, sorted by kind. A kind is a folder of the cache."""
    found = []
    for folder in sorted(path for path in context.cache.glob("[!.]*") if path.is_dir()):
        found += [
            Entry(folder.name, path, sum(file.lstat().st_size for file in _files(path)), _used(path))
            for path in _units(folder)
        ]
    return found


def info(context: Context) -> dict[str, Any]:
    """Returns for each kind the number of entries, their bytes, and the most days that one was not used."""
    now = time.time()
    kinds: dict[str, dict[str, Any]] = {}
    for entry in entries(context):
        kind = kinds.setdefault(entry.kind, {"entries": 0, "bytes": 0, "oldest_days": 0})
        kind["entries"] += 1
        kind["bytes"] += entry.size
        kind["oldest_days"] = max(kind["oldest_days"], int((now - entry.used) / _DAY))
    return {"cache_dir": str(context.cache), "bytes": sum(kind["bytes"] for kind in kinds.values()), "kinds": kinds}


def info_text(described: dict[str, Any]) -> str:
    """Formats `info` as text."""
    lines = [f"{described['cache_dir']}  {events.size(described['bytes'])}"]
    for name, kind in described["kinds"].items():
        unused = f"oldest used {kind['oldest_days']} days ago"
        lines.append(f"  {name:10} {kind['entries']:5}  {events.size(kind['bytes']):>10}  {unused}")
    return "\n".join(lines)


def prune(context: Context, keep_days: int) -> list[Entry]:
    """Removes entries that were not used for `keep_days` days and returns them; also removes what killed builds left.

    Raises UserError while a build runs in any clone that shares the cache.
    """
    oldest = time.time() - keep_days * _DAY
    with locking.exclusive(context):
        tidy(context)
        gone = [entry for entry in entries(context) if entry.used < oldest]
        for entry in gone:
            files.remove(entry.path)
            _remove_empty(entry.path.parent, context.cache / entry.kind)
    return gone


def tidy(context: Context) -> None:
    """Removes incomplete outputs of killed builds. The caller must hold the locks."""
    for left_behind in context.cache.glob("*/.*.tmp"):
        # skip links: their target belongs to another cache, where a build may be running
        if not left_behind.parent.is_symlink():
            files.remove(left_behind)


def borrow(context: Context, folder: Path, kinds: Iterable[str]) -> Path:
    """Makes a cache that shares only the given kinds with the cache of `context`; returns its path."""
    folders.make(folders.CACHE, folder, context.root)
    for kind in kinds:
        (context.cache / kind).mkdir(exist_ok=True)
        (folder / kind).symlink_to(context.cache / kind)
    for path in filter(Path.exists, (context.cache / name for name in _SHARED)):
        shutil.copy(path, folder)
    return folder


def _remove_empty(folder: Path, top: Path) -> None:
    """Removes a folder and its parents below `top` as long as they are empty."""
    while folder != top and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _units(folder: Path) -> Iterator[Path]:
    if folder.name == "packages":
        yield from sorted(folder.rglob(f"*{settings.BINPKG_SUFFIX}"))
    else:
        yield from sorted(folder.glob("[!.]*"))


def _files(path: Path) -> Iterator[Path]:
    return (file for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_symlink() or file.is_file())


def _used(path: Path) -> float:
    """Returns the time of the last use: the mtime of a stage's output, which Stage.use sets, or the atime of a file,
    which most file systems update once a day (relatime, mount(8))."""
    status = path.lstat()
    return status.st_mtime if path.is_dir() else max(status.st_atime, status.st_mtime)
