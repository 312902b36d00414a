"""What a step consists of: activities that ask for programs and pauses, and end with findings.

An activity is a generator. It yields a Program or a Pause, is sent the program's output (an empty one after a pause),
and returns its result. So it runs beside others in one thread, and a test drives it with recorded outputs.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeVar

from alchemy_node.burnin.ocp import Validator, Value
from alchemy_node.burnin.parts import Part
from alchemy_node.processes import Output

T = TypeVar("T")

OUT_OF_MEMORY = "out of memory"


class Kind(Enum):
    """What a finding means for the run.

    FAIL blames the hardware. ERROR says that something was not tested, UNKNOWN that it cannot be judged, SKIP that
    there is nothing to test. WARNING and NOTE are only told.
    """

    PASS = auto()
    FAIL = auto()
    ERROR = auto()
    UNKNOWN = auto()
    WARNING = auto()
    NOTE = auto()
    SKIP = auto()


@dataclass(frozen=True)
class Finding:
    """A judgement: `verdict` is a short countable word (dimm-ce), `message` a sentence for the technician."""

    kind: Kind
    verdict: str
    message: str
    part: Part | None = None


@dataclass(frozen=True)
class Measurement:
    """A value that a test measured. Parts of one `group` are equals, and are compared with each other."""

    name: str
    value: Value
    unit: str | None = None
    part: Part | None = None
    validators: tuple[Validator, ...] = ()
    group: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What an activity ends with."""

    findings: tuple[Finding, ...] = ()
    measurements: tuple[Measurement, ...] = ()

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.findings + other.findings, self.measurements + other.measurements)


def join(outcomes: Iterable[Outcome]) -> Outcome:
    """Returns all findings and measurements of several outcomes as one."""
    return sum(outcomes, Outcome())


def one(kind: Kind, verdict: str, message: str, part: Part | None = None) -> Outcome:
    """Returns the outcome that is one finding."""
    return Outcome((Finding(kind, verdict, message, part),))


@dataclass(frozen=True)
class Program:
    """A program to run.

    It is killed after `seconds`, which no healthy machine needs. `memory` bounds it and its children, in bytes.
    `cpus` and `nodes` are lists of CPUs and NUMA nodes as cpuset(7) has them: where it may run and allocate. `load` is
    False for the short programs that only ask.
    """

    argv: tuple[str, ...]
    seconds: float
    memory: int | None = None
    cpus: str | None = None
    nodes: str | None = None
    load: bool = True


@dataclass(frozen=True)
class Pause:
    """A wait."""

    seconds: float


Activity = Generator[Program | Pause, Output, T]


def ask(*argv: str, seconds: float = 30) -> Program:
    """Returns a short program that only asks."""
    return Program(argv, seconds, load=False)


def trouble(name: str, output: Output, part: Part | None = None) -> Outcome:
    """Returns ERROR for a program that gave no verdict, with the reason and the last line of its output."""
    verdict = "out-of-memory" if output.problem == OUT_OF_MEMORY else "no-verdict"
    lines = (output.stderr.strip() or output.stdout.strip()).splitlines()
    said = f": {lines[-1].strip()[:200]}" if lines else ""
    return one(Kind.ERROR, verdict, f"{name}: {output.problem or 'no verdict in its output'}{said}", part)
