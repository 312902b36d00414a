"""The firmware of the image: of all that linux-firmware has, what the kernel's drivers ask for, or what was configured.

A driver that is built in asks for its files when it finds its device, before any init runs. So they lie in the ramdisk
itself, where the kernel looks first.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from alchemy.errors import UserError

# endings of files that the kernel unpacks as it loads them (CONFIG_FW_LOADER_COMPRESS)
_PACKED = (".xz", ".zst")


def asked_for(modinfo: Path) -> list[str]:
    """The files that the kernel's built-in drivers name, of its modules.builtin.modinfo: `DRIVER.firmware=NAME`,
    each with a NUL behind it."""
    entries = modinfo.read_bytes().decode(errors="replace").split("\0")
    return sorted({entry.split(".firmware=", 1)[1] for entry in entries if ".firmware=" in entry})


def copy(source: Path, patterns: Iterable[str], target: Path, *, required: bool) -> tuple[list[str], list[str]]:
    """Copies the files of a firmware folder that match a pattern (fnmatch, with or without the ending of a packed
    file), and what their links lead to. Returns the names copied, and the patterns that matched nothing.

    Raises UserError for these when they are `required`.
    """
    files = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_symlink() or path.is_file())
    names = {file: _plain(file) for file in files}
    wanted: set[Path] = set()
    missing = []
    for pattern in patterns:
        matching = [
            file for file, name in names.items() if pattern in (name, str(file)) or fnmatch.fnmatchcase(name, pattern)
        ]
        wanted.update(matching)
        if not matching:
            missing.append(pattern)
    if missing and required:
        raise UserError(
            "\n".join(f"firmware: {pattern}: no file of linux-firmware matches" for pattern in missing),
            hint="patterns are names below /lib/firmware, such as bnx2x/*, of sys-kernel/linux-firmware",
        )
    for file in sorted(wanted):
        _copy(source, file, target)
    return sorted({_plain(file) for file in wanted}), missing


def _plain(file: Path) -> str:
    return str(file.with_suffix("")) if file.suffix in _PACKED else str(file)


def _copy(source: Path, file: Path, target: Path) -> None:
    """Copies one file; a link comes with the file it leads to, which may be another link."""
    seen = set()
    while file not in seen:
        seen.add(file)
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(target / file):
            shutil.copy2(source / file, target / file, follow_symlinks=False)
        if not (source / file).is_symlink():
            return
        file = Path(os.path.normpath(file.parent / (source / file).readlink()))
        if file.is_absolute() or file.parts[:1] == ("..",) or not os.path.lexists(source / file):
            return
