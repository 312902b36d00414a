"""Chooses the firmware of an image: the files of linux-firmware that the kernel's drivers or config.yml name.

A built-in driver loads its files when it finds its device, before any init runs. So they are in the ramfs itself, where
the kernel looks first.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable
from pathlib import Path

from alchemy.errors import UserError
from alchemy.host import files
from alchemy.host.rooted import Rooted

# What drivers name and do without. isci takes its parameters from the option ROM or EFI, else its defaults; an AMD
# Secure Processor keeps the firmware of the BIOS, and needs newer only for encrypted guests.
_NOT_NEEDED = ("isci/isci_firmware.bin", "amd/amd_sev_*.sbin")

# suffixes of files that the kernel decompresses when it loads them (CONFIG_FW_LOADER_COMPRESS)
_PACKED = (".xz", ".zst")


def asked_for(modinfo: bytes) -> list[str]:
    """Returns the files that drivers name in the kernel's modules.builtin.modinfo, without those that they do not need:
    NUL-terminated entries `DRIVER.firmware=NAME`."""
    entries = modinfo.decode(errors="replace").split("\0")
    names = {entry.split(".firmware=", 1)[1] for entry in entries if ".firmware=" in entry}
    return sorted(name for name in names if not any(fnmatch.fnmatchcase(name, pattern) for pattern in _NOT_NEEDED))


def copy(source: Path, patterns: Iterable[str], target: Path, *, required: bool) -> tuple[list[str], list[str]]:
    """Copies the files of a firmware folder that match a pattern (fnmatch; the suffix of a compressed file is
    optional), and the targets of links among them. Returns the names copied, and the patterns that match nothing.

    Raises UserError for the latter when the patterns are `required`.
    """
    tree = Rooted(source)
    names_of_files = (path.relative_to(source) for path in source.rglob("*") if path.is_symlink() or path.is_file())
    # a dangling link is not firmware, whatever its name
    files = sorted(name for name in names_of_files if tree.is_file(name))
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
            "\n".join(f"firmware: {pattern}: matches no file of linux-firmware" for pattern in missing),
            hint="patterns are names below /lib/firmware of sys-kernel/linux-firmware, such as bnx2x/*",
        )
    for file in sorted(wanted):
        _copy(source, file, target)
    return sorted({_plain(file) for file in wanted}), missing


def sizes(chosen: Path) -> dict[str, int]:
    """Returns the bytes of the files in a folder that `copy` has filled, by name."""
    files = sorted(path for path in chosen.rglob("*") if path.is_symlink() or path.is_file())
    return {_plain(path.relative_to(chosen)): path.lstat().st_size for path in files}


def _plain(file: Path) -> str:
    return str(file.with_suffix("")) if file.suffix in _PACKED else str(file)


def _copy(source: Path, file: Path, target: Path) -> None:
    """Copies one file. A link is copied with its target, which may be another link, unless it leads to a folder or out
    of the firmware folder."""
    tree, seen = Rooted(source), set()
    while file not in seen:
        seen.add(file)
        place = tree.place(file)
        if place != source / file or not (place.is_symlink() or place.is_file()):
            return
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(target / file):
            files.copy(place, target / file)
        if not place.is_symlink():
            return
        file = Path(os.path.normpath(file.parent / place.readlink()))
        if file.is_absolute() or file.parts[:1] == ("..",):
            return
