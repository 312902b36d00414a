"""One time limit for many programs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from alchemy_node.machine import Machine, Programs
from alchemy_node.processes import Output


@dataclass(frozen=True)
class Deadline:
    """Programs that all end by a moment of the monotonic clock."""

    programs: Programs
    end: float

    def __call__(self, argv: Sequence[str], seconds: float, limit: int) -> Output:
        left = self.end - time.monotonic()
        if left <= 0:
            return Output(problem="not run: the time for all programs is over")
        return self.programs(argv, min(seconds, left), limit)


def within(machine: Machine, seconds: float) -> Machine:
    """The same machine, on which no program runs any longer than that from now on."""
    return Machine(machine.root, Deadline(machine.programs, time.monotonic() + seconds))
