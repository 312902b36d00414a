"""What a repair may draw on: what the kernel of the same machine says, out of the inventory document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_MBIT = 1_000_000


@dataclass(frozen=True)
class Facts:
    """The kernel's own words on what lshw leaves out.

    `capacities` and `speeds` map a MAC to bits a second: the fastest of the NIC's link modes, and the speed of its link
    now. `disks` maps the name of a block device to its size in bytes; empty where unknown. `cores` and `threads` are
    those of one socket; None where the sockets differ or the kernel does not say.
    """

    capacities: Mapping[str, int] = field(default_factory=dict)
    speeds: Mapping[str, int] = field(default_factory=dict)
    disks: Mapping[str, int] = field(default_factory=dict)
    cores: int | None = None
    threads: int | None = None


def of(document: Mapping[str, Any]) -> Facts:
    """Returns the facts of an inventory document (inventory/schema.json)."""
    alchemy = document["alchemy"]
    nics = [nic for nic in alchemy["nics"] if "mac" in nic]
    sockets = {(cpu.get("kernel_cores"), cpu.get("kernel_threads")) for cpu in alchemy["cpus"] if cpu["populated"]}
    cores, threads = sockets.pop() if len(sockets) == 1 else (None, None)
    return Facts(
        capacities={nic["mac"]: nic["max_mbps"] * _MBIT for nic in nics if nic.get("max_mbps")},
        speeds={nic["mac"]: nic["speed_mbps"] * _MBIT for nic in nics if nic.get("speed_mbps")},
        disks={disk["name"]: disk["size"] for disk in alchemy["disks"] if "size" in disk},
        cores=cores,
        threads=threads,
    )
