"""What differs, for a person."""

from __future__ import annotations

from alchemy_node.expect.compare import Comparison
from alchemy_node.expect.file import Expected
from alchemy_node.parts import Part
from alchemy_node.text import printable

_TITLES = ("OPEN", "WHAT", "EXPECTED", "FOUND")


def report(comparison: Comparison, expected: tuple[Expected, ...], system: Part) -> str:
    """Writes the verdict, and a table of what differs: failures first. `system` is the inventory's."""
    if comparison.name is None:
        this = " ".join(str(system[key]) for key in ("manufacturer", "product") if system.get(key)) or "this machine"
        known = "; ".join(machine.name for machine in expected)
        return f"UNKNOWN: no [[machine]] of the file matches {this} (it has: {known})\n"
    differences = sorted(comparison.differences, key=lambda difference: not difference.known)
    if not differences:
        return f"PASS: {comparison.name}: all {comparison.checks} checks hold\n"
    failed = sum(difference.known for difference in differences)
    verdict = f"FAIL: {comparison.name}: {failed}" if failed else f"UNKNOWN: {comparison.name}: 0"
    unknown = len(differences) - failed
    # the file may come from a server, and its patterns are shown
    cells = ((each.part, each.what, each.expected, each.found) for each in differences)
    rows = [_TITLES, *(tuple(map(printable, row)) for row in cells)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    lines = [f"{verdict} of {comparison.checks} checks do not hold, {unknown} cannot be told", ""]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines) + "\n"
