"""Arguments and results of the planning of a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from alchemy_node.burnin.activity import Activity, Outcome
from alchemy_node.burnin.parts import Parts
from alchemy_node.burnin.profile import Options
from alchemy_node.machine import Machine


@dataclass(frozen=True)
class Disk:
    """A disk of the machine. `device` is its node in /dev, `smart` what smartctl opens; `equals` names its model."""

    name: str
    device: str
    size: int
    rotational: bool = False
    serial: str | None = None
    equals: str = ""


@dataclass(frozen=True)
class Setting:
    """A step's share of a phase.

    `seconds` is its time, `memory` the bytes that it may take, `disks` what there is and `writable` the names of those
    that it may write. `alone` says that no other step runs beside it, which would slow down some of its parts and not
    others. `placed` says that programs can be held to a NUMA node, `tools` which optional programs are installed.
    `reboots` counts those that this run has had, None where no record outlives one.
    """

    machine: Machine
    parts: Parts
    seconds: float
    memory: int
    disks: tuple[Disk, ...] = ()
    writable: frozenset[str] = frozenset()
    options: Options = field(default_factory=Options)
    alone: bool = False
    placed: bool = False
    tools: frozenset[str] = frozenset()
    reboots: int | None = None


@dataclass(frozen=True)
class Planned:
    """A step as planned: its activities, which run beside each other, or why it is skipped; `about` tells of it."""

    activities: tuple[Callable[[], Activity[Outcome]], ...] = ()
    about: str = ""
    skip: str | None = None
