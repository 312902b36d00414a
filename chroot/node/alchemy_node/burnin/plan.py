"""Plan a run: its steps, their times and memory, and the disks that they write."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from alchemy_node.burnin import rules
from alchemy_node.burnin.hardware import Machinery
from alchemy_node.burnin.profile import Phase, Profile
from alchemy_node.burnin.step import Planned, Setting
from alchemy_node.burnin.steps import cpu, disks, memory, network, reboot
from alchemy_node.burnin.topology import cpu_list
from alchemy_node.machine import Machine

MIB = 1 << 20

Planner = Callable[[Setting], Planned]

PLANNERS: Mapping[str, Planner] = {
    "cpu": cpu.plan,
    "memory": memory.plan,
    "disks": disks.plan,
    "network": network.plan,
    "reboot": reboot.plan,
}

# what a step takes beside the memory that it tests: a thread of stress-ng, a disk's fio
_A_THREAD = 12 * MIB
_A_DISK = 64 * MIB


@dataclass(frozen=True)
class Step:
    """A step of a phase: its id in the record, its name, and its plan."""

    id: str
    name: str
    planned: Planned


@dataclass(frozen=True)
class PlannedPhase:
    """Steps that run beside each other for `seconds`."""

    seconds: float
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Resources:
    """What a run may take: bytes of memory, disks to write; how programs are held; how many reboots it has had."""

    memory: int
    writable: frozenset[str] = frozenset()
    placed: bool = False
    tools: frozenset[str] = frozenset()
    reboots: int | None = None


def plan(
    profile: Profile,
    machine: Machine,
    machinery: Machinery,
    resources: Resources,
    planners: Mapping[str, Planner] = PLANNERS,
    first: int = 1,
) -> tuple[PlannedPhase, ...]:
    """Plans each phase, `first` being the number of the first.

    A phase in which every step is skipped takes no time; the others share it.
    """

    def planned(phase: Phase, number: int, seconds: float) -> PlannedPhase:
        common = Setting(
            machine, machinery.parts, seconds, 0, machinery.disks, resources.writable, profile.options,
            alone=len(phase.steps) == 1, placed=resources.placed, tools=resources.tools,
            reboots=resources.reboots,
        )  # fmt: skip
        shares = _memory(phase.steps, common, resources.memory)
        steps = (
            Step(f"{number}-{name}", name, planners[name](replace(common, memory=shares[name]))) for name in phase.steps
        )
        return PlannedPhase(seconds, tuple(steps))

    lengths = list(zip(profile.phases, itertools.count(first), profile.durations(), strict=False))
    idle = {number for phase, number, seconds in lengths if not _works(planned(phase, number, seconds))}
    working = sum(seconds for _, number, seconds in lengths if number not in idle)
    return tuple(
        planned(phase, number, 0.0 if number in idle else seconds * profile.seconds / working)
        for phase, number, seconds in lengths
    )


def _works(phase: PlannedPhase) -> bool:
    return any(step.planned.skip is None for step in phase.steps)


def _memory(names: tuple[str, ...], setting: Setting, whole: int) -> dict[str, int]:
    """Divides memory among the steps of a phase: what the memory's own step does not need for the others, it tests."""
    threads = len(cpu_list(setting.machine.read("/sys/devices/system/cpu/online"))) or 1
    needs = {"cpu": threads * _A_THREAD, "disks": len(setting.disks) * _A_DISK}
    shares = {name: min(needs.get(name, 0), whole // 2) for name in names}
    rest = max(0, whole - sum(shares.values()))
    return {
        name: share + (rest if name == ("memory" if "memory" in names else names[0]) else 0)
        for name, share in shares.items()
    }


def describe(
    profile: Profile, phases: tuple[PlannedPhase, ...], machinery: Machinery, resources: Resources
) -> Iterator[str]:
    """Yields the lines of a plan: how long each step takes, and above all which disks it writes."""
    yield f"profile {profile.name}: {rules.span(profile.seconds / 3600)}, on {machinery.name}"
    for number, phase in enumerate(phases, 1):
        yield f"phase {number}: {rules.span(phase.seconds / 3600)}"
        for step in phase.steps:
            said = f"skipped, {step.planned.skip}" if step.planned.skip is not None else step.planned.about
            yield f"  {step.name}: {said}"
    written = [
        str(machinery.parts.find("disk", disk.name)) for disk in machinery.disks if disk.name in resources.writable
    ]
    if written:
        yield f"ALL DATA IS DESTROYED on {len(written)} of {len(machinery.disks)} disks: {'; '.join(written)}"
    else:
        yield "no disk is written"
