"""Makes the CPU microcode of an image: an uncompressed cpio archive in front of the ramfs, where the kernel looks for
it before it can unpack anything (its Documentation/arch/x86/microcode.rst).

The archive has files and no folders. So the kernel, which reads it in the ramfs as the boot loader left it, does not
unpack it as well: RAM is free of it as soon as the ramfs is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from alchemy.errors import BuildError
from alchemy.host.rooted import Rooted

INTEL, AMD = "GenuineIntel", "AuthenticAMD"

# Files below a firmware folder. Debian marks those of Intel's that have to be loaded early (.initramfs); linux-firmware
# has signatures beside AMD's (.asc).
_INTEL_FILE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{2}-[0-9a-f]{2}(\.initramfs)?")
_AMD_FILE = re.compile(r"microcode_amd(_fam[0-9a-f]+h)?\.bin")

_FOLDER = "kernel/x86/microcode"

# An update of Intel's (its Software Developer's Manual, volume 3, 9.11.1): the size of its header; where the header has
# the size of the update, which is 2048 when that is 0; what divides each size.
_INTEL_HEADER = 48
_INTEL_SIZE = slice(32, 36)
_INTEL_SMALLEST = 2048
_INTEL_UNIT = 1024

# An archive in the format newc: the length of a header, and what cpio pads an archive to.
_CPIO_HEADER = 110
_BLOCK = 512

# the kernel hands the CPU its update where it lies in the archive, and Intel wants that aligned so
_ALIGNMENT = 16

_END = "TRAILER!!!"


def collect(firmware: Path) -> dict[str, bytes]:
    """Returns the microcode in a firmware folder, by the CPU's vendor as CPUID names it; none where there is none.

    Intel's files have the same update for each CPU that it fits: it is taken once.
    """
    tree = Rooted(firmware)
    intel = (update for file in _files(tree, "intel-ucode", _INTEL_FILE) for update in _updates(*file))
    amd = (content for _, content in _files(tree, "amd-ucode", _AMD_FILE))
    found = {INTEL: list(dict.fromkeys(intel)), AMD: list(amd)}
    return {vendor: b"".join(updates) for vendor, updates in found.items() if updates}


def archive(microcode: Mapping[str, bytes]) -> bytes:
    """Returns the archive for the start of a ramfs; the same bytes for the same microcode, and none for none."""
    if not microcode:
        return b""
    packed = b""
    for number, (vendor, content) in enumerate(sorted(microcode.items()), start=1):
        packed += _entry(f"{_FOLDER}/{vendor}.bin", content, number, len(packed))
    packed += _entry(_END, b"", 0, len(packed))
    return packed + bytes(-len(packed) % _BLOCK)


def _files(tree: Rooted, folder: str, names: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    for name in tree.names(folder):
        if names.fullmatch(name) and tree.is_file(f"{folder}/{name}"):
            yield f"{folder}/{name}", tree.read_bytes(f"{folder}/{name}")


def _updates(name: str, content: bytes) -> Iterator[bytes]:
    """Yields the updates in a file of Intel's, which follow each other."""
    while content:
        size = int.from_bytes(content[_INTEL_SIZE], "little") or _INTEL_SMALLEST
        if len(content) < max(size, _INTEL_HEADER) or size % _INTEL_UNIT:
            raise BuildError(f"{name}: truncated microcode (expected an update of {size} bytes, got {len(content)})")
        yield content[:size]
        content = content[size:]


def _entry(name: str, content: bytes, number: int, offset: int) -> bytes:
    """Returns a member of an archive, at this offset of it. NULs behind the name align the content."""
    padded = name.encode() + b"\0"
    padded += bytes(-(offset + _CPIO_HEADER + len(padded)) % _ALIGNMENT)
    mode = 0o100644 if content else 0
    # inode, mode, owner, group, links, time, size, the devices' four numbers, the length of the name, a checksum
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(padded), 0)
    header = "070701" + "".join(f"{field:08x}" for field in fields)
    return header.encode() + padded + content + bytes(-len(content) % 4)
