"""Whether a disk may be written: whether it is in use, and whether there is anything on it.

A test that writes destroys the content of its disk. So a content that nobody knows is taken for data.
"""

from __future__ import annotations

import os
import re
from posixpath import basename

from alchemy_node.burnin.activity import Activity, ask
from alchemy_node.burnin.evidence import number
from alchemy_node.burnin.step import Disk
from alchemy_node.machine import Machine

# how much is looked at, in how many places, for data without a signature
_BLOCK = 65536
_PLACES = 64
# what a disk reads as that was never written, or was erased
_ERASED = (b"\0", b"\xff")


def in_use(machine: Machine, disk: Disk) -> str | None:
    """Returns what uses a disk (a mount, swap, RAID, LVM, device mapper); None when nothing does."""
    folder = f"/sys/block/{disk.name}"
    if not machine.exists(folder):
        return "the kernel no longer has it"
    if number(machine.read(f"{folder}/ro")) != 0:
        return "it is read-only"
    for place in (folder, *(path.removesuffix("/partition") for path in machine.glob(f"{folder}/*/partition"))):
        holders = machine.glob(f"{place}/holders/*")
        if holders:
            return f"{basename(holders[0])} is built on {basename(place)}"
        device = (machine.read(f"{place}/dev") or "").strip()
        if not re.fullmatch(r"[0-9]+:[0-9]+", device):
            return "the kernel does not say its number"
        mounts = machine.read("/proc/self/mountinfo", 4 << 20)
        if mounts is None:
            return "the mounts cannot be read"
        if any(line.split()[2:3] == [device] for line in mounts.splitlines()):
            return f"{basename(place)} is mounted"
        swaps = machine.read("/proc/swaps") or ""
        if re.search(rf"^/dev/{re.escape(basename(place))}\s", swaps, re.MULTILINE):
            return f"{basename(place)} is swap"
        if re.search(rf"\b{re.escape(basename(place))}\[", machine.read("/proc/mdstat") or ""):
            return f"{basename(place)} is part of a RAID"
    return None


def content(machine: Machine, disk: Disk) -> Activity[str | None]:
    """Returns the content of a disk; None when it is blank.

    Blank means: no partitions, no signature that wipefs(8) knows, and zeros in every place that is looked at, or ones
    in every place.
    """
    if machine.glob(f"/sys/block/{disk.name}/*/partition"):
        return "it has partitions"
    output = yield ask("wipefs", "--no-act", "--parsable", disk.device)
    if output.status != 0:
        return f"wipefs cannot tell what is on it ({output.problem})"
    signatures = [line for line in output.stdout.splitlines() if line.strip() and not line.startswith("#")]
    if signatures:
        return f"it has a signature ({signatures[0].strip()[:80]})"
    return _data(machine, disk)


def _data(machine: Machine, disk: Disk) -> str | None:
    """Returns where a disk has data that no signature tells of."""
    blocks = disk.size // _BLOCK
    if blocks < 1:
        return "its size is unknown"
    places = sorted({index * (blocks - 1) // (_PLACES - 1) * _BLOCK for index in range(_PLACES)})
    try:
        descriptor = os.open(machine.root / disk.device.lstrip("/"), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    fill = None
    try:
        for place in places:
            block = os.pread(descriptor, _BLOCK, place)
            if len(block) != _BLOCK:
                return "it is smaller than it says"
            fill = block[:1] if fill is None else fill
            if fill not in _ERASED or block != fill * _BLOCK:
                return f"it has data at byte {place}"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    finally:
        os.close(descriptor)
    return None
