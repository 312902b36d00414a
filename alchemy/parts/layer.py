"""Makes a layer for overlayfs from the difference between two root trees.

The format is that of the kernel (Documentation/filesystems/overlayfs.rst): a character device 0/0 hides a file.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import stat
from pathlib import Path

from alchemy.host import files


def difference(base: Path | None, changed: Path, layer: Path) -> None:
    """Fills the empty folder `layer` with what is new or different in `changed`: over `base`, the layer looks like
    `changed`. Without a `base`, everything is new.

    Times do not count as a difference, and hard links become separate files. No link of either tree is followed.
    """
    before = set() if base is None else set(_names(base))
    for name in sorted({*before, *_names(changed)}):
        old, new, target = base / name if base and name in before else None, changed / name, layer / name
        if not os.path.lexists(new):
            os.mknod(target, stat.S_IFCHR)
        elif _is_folder(new):
            target.mkdir()
            difference(old if old and _is_folder(old) else None, new, target)
            if old and _same_attributes(old, new) and not any(target.iterdir()):
                target.rmdir()
        elif not (old and _same(old, new)):
            _copy(new, target)
    _copy_owner(changed, layer)
    shutil.copystat(changed, layer)


def _copy(source: Path, target: Path) -> None:
    status = source.lstat()
    if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
        files.copy(source, target)
    else:
        # a device or a pipe is never opened
        os.mknod(target, status.st_mode, status.st_rdev)
    _copy_owner(source, target)


def _names(folder: Path) -> list[str]:
    return os.listdir(folder) if _is_folder(folder) else []  # noqa: PTH208 (names are compared)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _same(old: Path, new: Path) -> bool:
    if not _same_attributes(old, new):
        return False
    if new.is_symlink():
        return old.readlink() == new.readlink()
    one, other = old.lstat(), new.lstat()
    if not stat.S_ISREG(one.st_mode):
        return one.st_rdev == other.st_rdev
    return one.st_size == other.st_size and (
        one.st_mtime_ns == other.st_mtime_ns or filecmp.cmp(old, new, shallow=False)
    )


def _same_attributes(old: Path, new: Path) -> bool:
    """Returns whether type, permissions and owner are the same."""
    one, other = old.lstat(), new.lstat()
    return (one.st_mode, one.st_uid, one.st_gid) == (other.st_mode, other.st_uid, other.st_gid)


def _copy_owner(source: Path, target: Path) -> None:
    status = source.lstat()
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
