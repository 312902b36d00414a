"""alchemy-inventory --collins: the documents for Collins, in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from alchemy_node.intake import facts, pair
from alchemy_node.intake.refusal import refusal_lines, repair_lines
from alchemy_node.machine import Machine
from alchemy_node.status import Status
from alchemy_node.text import printable


def write(machine: Machine, document: Mapping[str, Any], folder: Path, out: TextIO) -> Status:
    """Writes the files of pair.write, and lists the repairs and the refusals of Collins."""
    lshw, lldp = pair.read(machine)
    made = pair.make(lshw, lldp, facts.of(document))
    try:
        pair.write(made, folder)
    except OSError as error:
        out.write(f"error: --collins: {printable(str(folder))}: {error.strerror}\n")
        return Status.USAGE
    for line in (*(f"repair: {line}" for line in repair_lines(made.repairs)), *refusal_lines(made.refusals)):
        out.write(f"{line}\n")
    out.flush()
    return Status.FAIL if made.refusals else Status.PASS
