"""Choose the disks that may be written, from what `--disks` says: read, blank, or serial numbers."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from alchemy_node.burnin import blank
from alchemy_node.burnin.activity import Activity, Pause, T
from alchemy_node.burnin.step import Disk
from alchemy_node.machine import Machine
from alchemy_node.processes import Output
from alchemy_node.text import printable

READ = "read"
BLANK = "blank"


class SelectionError(ValueError):
    """A selection that this machine does not have, or that cannot be written."""


@dataclass(frozen=True)
class Selection:
    """The names of the disks that may be written, and why others may not."""

    writable: frozenset[str] = frozenset()
    reasons: tuple[str, ...] = ()


def choose(machine: Machine, disks: Iterable[Disk], asked: str, ours: frozenset[str] = frozenset()) -> Selection:
    """Chooses the disks. `ours` are serials of disks that this run has already written. Raises SelectionError."""
    there = tuple(disks)
    if asked == READ:
        return Selection()
    if asked == BLANK:
        return _blank(machine, there, ours)
    return Selection(frozenset(_named(machine, there, serial) for serial in asked.split(",")))


def agreed(selection: Selection) -> bool:
    """Asks the person at the terminal once more before disks are written. Without one, the command line is enough."""
    count = len(selection.writable)
    if not count or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return True
    try:
        answer = input(f"Type the number of disks that lose all data ({count}) to begin: ")
    except EOFError:
        return False
    return answer.strip() == str(count)


def _blank(machine: Machine, disks: tuple[Disk, ...], ours: frozenset[str]) -> Selection:
    writable: set[str] = set()
    reasons: list[str] = []
    for disk in disks:
        why = blank.in_use(machine, disk)
        if why is None and disk.serial not in ours:
            why = _now(machine, blank.content(machine, disk))
        if why is None:
            writable.add(disk.name)
        else:
            reasons.append(f"{disk.device} is only read: {why}")
    return Selection(frozenset(writable), tuple(reasons))


def _named(machine: Machine, disks: tuple[Disk, ...], serial: str) -> str:
    found = [disk for disk in disks if disk.serial == serial]
    known = ", ".join(f"{disk.serial} ({disk.device})" for disk in disks if disk.serial) or "none has a serial"
    if len(found) != 1:
        problem = "no disk has that serial" if not found else f"{len(found)} disks have that serial"
        raise SelectionError(f"--disks: {printable(serial)}: {problem} (expected read, blank, or of these: {known})")
    why = blank.in_use(machine, found[0])
    if why is not None:
        raise SelectionError(f"--disks: {printable(serial)}: {found[0].device} cannot be written: {why}")
    return found[0].name


def _now(machine: Machine, activity: Activity[T]) -> T:
    """Runs an activity by itself to its end."""
    output: Output | None = None
    while True:
        try:
            request = next(activity) if output is None else activity.send(output)
        except StopIteration as end:
            result: T = end.value
            return result
        output = Output(0) if isinstance(request, Pause) else machine.run(request.argv, request.seconds)
