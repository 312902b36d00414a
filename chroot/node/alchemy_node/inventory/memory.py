"""How much memory the DIMMs have, and how much the kernel has of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from alchemy_node.inventory.facts import Found, Json, Unknown, present
from alchemy_node.machine import Machine

_MEMINFO = "/proc/meminfo"


def collect(machine: Machine, dimms: Sequence[Json], correction: str | None) -> Found[Json]:
    """Memory of the machine; `dimms` and `correction` are DMI's."""
    total = re.search(r"^MemTotal:\s+([0-9]{1,15}) kB$", machine.read(_MEMINFO) or "", re.MULTILINE)
    sizes = [dimm.get("size") for dimm in dimms]
    memory = present(
        kernel=int(total[1]) * 1024 if total else None,
        installed=sum(size or 0 for size in sizes) if sizes and None not in sizes else None,
        correction=correction,
    )
    unknown = () if total else (Unknown("memory", _MEMINFO, "absent or without MemTotal"),)
    return Found(memory, unknown)
