"""Which CPUs, cores, packages and NUMA nodes the kernel runs on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from posixpath import basename

from alchemy_node.burnin.evidence import number
from alchemy_node.machine import Machine

_MOST_CPUS = 8192


@dataclass(frozen=True)
class Core:
    """A core: its package, its number there, its CPUs (threads), and what equals it: the type of core and its clock."""

    package: str
    number: int
    cpus: tuple[int, ...]
    equals: str


@dataclass(frozen=True)
class Node:
    """A NUMA node with memory: its CPUs and its bytes."""

    number: int
    cpus: str
    memory: int


def cores(machine: Machine) -> list[Core]:
    """Returns the cores that are online, in the order of their packages and numbers."""
    found: dict[tuple[str, int], list[int]] = {}
    clocks: dict[tuple[str, int], str] = {}
    for cpu in cpu_list(machine.read("/sys/devices/system/cpu/online")):
        folder = f"/sys/devices/system/cpu/cpu{cpu}"
        package = str(number(machine.read(f"{folder}/topology/physical_package_id")) or 0)
        core = number(machine.read(f"{folder}/topology/core_id"))
        key = (package, cpu if core is None else core)
        found.setdefault(key, []).append(cpu)
        clock = number(machine.read(f"{folder}/cpufreq/cpuinfo_max_freq")) or 0
        clocks[key] = f"{clock // 1000} MHz"
    return [
        Core(package, core, tuple(cpus), f"{clocks[package, core]} x{len(cpus)}")
        for (package, core), cpus in sorted(found.items(), key=lambda item: (int(item[0][0]), item[0][1]))
    ]


def nodes(machine: Machine) -> list[Node]:
    """Returns the NUMA nodes that have memory."""
    found = []
    for folder in machine.glob("/sys/devices/system/node/node[0-9]*"):
        total = re.search(r"MemTotal: +([0-9]{1,15}) kB", machine.read(f"{folder}/meminfo") or "")
        cpus = (machine.read(f"{folder}/cpulist") or "").strip()
        if total is not None and int(total[1]):
            found.append(Node(int(basename(folder).removeprefix("node")), cpus, int(total[1]) * 1024))
    return sorted(found, key=lambda node: node.number)


def virtual(machine: Machine) -> bool:
    """Whether a hypervisor shares the CPUs out: their speed says nothing about the hardware."""
    return re.search(r"^flags\s*:.*\bhypervisor\b", machine.read("/proc/cpuinfo") or "", re.MULTILINE) is not None


def cpu_list(text: str | None) -> list[int]:
    """Parses a list of CPUs such as 0-3,8; empty for other text."""
    cpus: list[int] = []
    for part in (text or "").strip().split(","):
        found = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", part)
        if found is None:
            return []
        first, last = int(found[1]), int(found[2] or found[1])
        if last - first >= _MOST_CPUS or len(cpus) >= _MOST_CPUS:
            return []
        cpus.extend(range(first, last + 1))
    return cpus


def joined(cpus: Iterable[int]) -> str:
    """Returns a list of CPUs as cpuset(7) and taskset(1) take it."""
    return ",".join(str(cpu) for cpu in cpus)
