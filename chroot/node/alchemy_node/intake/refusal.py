"""What a manager would refuse, and what cures it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alchemy_node.text import printable


@dataclass(frozen=True)
class Refusal:
    """A reason for which a manager takes nothing from this machine.

    `document` is the file or field, `element` what stands in it, `source` the manager's file and line that refuses it,
    `cure` a command for the switch, a setting of the manager, or what to do on the machine.
    """

    document: str
    element: str
    problem: str
    source: str
    cure: str

    def lines(self) -> list[str]:
        """Returns the message and its hint, safe for a console."""
        where = f"{self.document}: {self.element}" if self.element else self.document
        return [
            f"error: {printable(where)}: {printable(self.problem)} ({self.source})",
            f"hint: {printable(self.cure)}",
        ]


@dataclass(frozen=True)
class Repair:
    """A change to a document of the machine that adds nothing the machine has not said."""

    document: str
    element: str
    change: str
    reason: str

    def line(self) -> str:
        """Returns one line, safe for a console."""
        return f"{self.document}: {printable(self.element)}: {printable(self.change)} ({printable(self.reason)})"


# Of each so many are said; repairs.json has all.
MOST = 20


def refusal_lines(refusals: Sequence[Refusal]) -> list[str]:
    """Returns the lines of the first refusals, and how many more there are."""
    lines = [line for refusal in refusals[:MOST] for line in refusal.lines()]
    return lines if len(refusals) <= MOST else [*lines, f"error: {len(refusals) - MOST} more refusals"]


def repair_lines(repairs: Sequence[Repair]) -> list[str]:
    """Returns the lines of the first repairs, and how many more there are."""
    lines = [repair.line() for repair in repairs[:MOST]]
    return lines if len(repairs) <= MOST else [*lines, f"{len(repairs) - MOST} more"]
