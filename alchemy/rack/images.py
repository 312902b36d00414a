"""The files of an image that a node boots: those of bin/, or of a folder like it."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Architecture = Literal["x86_64", "arm64"]

_BOOT_SCRIPT = "boot.ipxe"
_MOST_BYTES = 64 * 1024
# the lines of boot.ipxe that name the kernel and the ramfs
_KERNEL = re.compile(r"^kernel (?P<name>[A-Za-z0-9_][A-Za-z0-9._+-]*)(?: |$)", re.MULTILINE)
_RAMFS = re.compile(r"^initrd (?P<name>[A-Za-z0-9_][A-Za-z0-9._+-]*) *$", re.MULTILINE)
# the Machine field of a PE header (Microsoft's PE format); a kernel that UEFI can start has one
_MACHINES: dict[int, Architecture] = {0x8664: "x86_64", 0xAA64: "arm64"}
_HEADER_AT = 0x3C


@dataclass(frozen=True)
class Image:
    """A folder, and the names of the kernel and the ramfs in it. `ramfs` is None where the kernel contains it."""

    folder: Path
    kernel: str = "alchemy.img"
    ramfs: str | None = "alchemy.ramfs"

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files that a node fetches."""
        return (self.kernel,) if self.ramfs is None else (self.kernel, self.ramfs)


def find(folder: Path) -> Image:
    """Returns the image in a folder: as its boot.ipxe names the files, otherwise alchemy.img and alchemy.ramfs.

    Raises ValueError, which names all that is missing.
    """
    if not folder.is_dir():
        raise ValueError(f"no such folder (expected one like bin/, got {folder})")
    image = _named(folder)
    missing = [name for name in image.files if not _is_filled(folder / name)]
    if missing:
        raise ValueError(f"missing or empty: {', '.join(missing)} (expected in {folder})")
    return image


def architecture(image: Image) -> Architecture | None:
    """Returns the architecture of an image's kernel; None if its file does not tell."""
    try:
        with (image.folder / image.kernel).open("rb") as file:
            start = file.read(4096)
        (at,) = struct.unpack_from("<I", start, _HEADER_AT)
        signature, machine = struct.unpack_from("<4sH", start, at)
    except (OSError, struct.error):
        return None
    return _MACHINES.get(machine) if signature == b"PE\0\0" else None


def _named(folder: Path) -> Image:
    try:
        with (folder / _BOOT_SCRIPT).open(encoding="utf-8") as file:
            script = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return Image(folder)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise ValueError(f"{_BOOT_SCRIPT} cannot be read: {reason}") from None
    kernel, ramfs = _KERNEL.search(script), _RAMFS.search(script)
    if kernel is None:
        raise ValueError(f"{_BOOT_SCRIPT} names no kernel (expected a line `kernel NAME …`)")
    return Image(folder, kernel["name"], ramfs["name"] if ramfs else None)


def _is_filled(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size > 0
    except OSError:
        return False
