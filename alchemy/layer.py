"""What a changed tree has over the one it was made of, as a layer for overlayfs.

The format is the kernel's (Documentation/filesystems/overlayfs.rst): what is gone is a character device 0/0.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import stat
from pathlib import Path


def difference(base: Path, changed: Path, layer: Path) -> None:
    """Fills the empty folder `layer` with what is new or other in `changed`: laid over `base` it looks the same.

    Times do not count as a difference, and hard links become files of their own.
    """
    for name in sorted({*_names(base), *_names(changed)}):
        old, new, target = base / name, changed / name, layer / name
        if not os.path.lexists(new):
            os.mknod(target, stat.S_IFCHR)
        elif _is_folder(new):
            target.mkdir()
            difference(old, new, target)
            if _same_attributes(old, new) and not any(target.iterdir()):
                target.rmdir()
        elif not _same(old, new):
            shutil.copy2(new, target, follow_symlinks=False)
            _copy_owner(new, target)
    _copy_owner(changed, layer)
    shutil.copystat(changed, layer)


def _names(folder: Path) -> list[str]:
    return os.listdir(folder) if _is_folder(folder) else []  # noqa: PTH208 (names are what is compared)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _same(old: Path, new: Path) -> bool:
    if not _same_attributes(old, new):
        return False
    if new.is_symlink():
        return old.readlink() == new.readlink()
    one, other = old.lstat(), new.lstat()
    return one.st_size == other.st_size and (
        one.st_mtime_ns == other.st_mtime_ns or filecmp.cmp(old, new, shallow=False)
    )


def _same_attributes(old: Path, new: Path) -> bool:
    """Whether type, permissions and owner are the same."""
    if not os.path.lexists(old):
        return False
    one, other = old.lstat(), new.lstat()
    return (one.st_mode, one.st_uid, one.st_gid) == (other.st_mode, other.st_uid, other.st_gid)


def _copy_owner(source: Path, target: Path) -> None:
    status = source.lstat()
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
