"""The identify light of the chassis: it blinks while the burn-in runs, is steady at FAIL, and off at PASS."""

from __future__ import annotations

from alchemy_node.machine import Machine
from alchemy_node.text import printable

# a BMC takes at most 255 seconds, so the order is given again in time
_SECONDS = 255
REFRESH = 180
# of one call: a BMC that hangs holds up the light only
_PATIENCE = 20


def order(word: str) -> tuple[str, ...]:
    """Returns the command for a verdict: FAIL and ERROR steady, PASS and SKIP off, RUNNING blinks."""
    state = {"RUNNING": str(_SECONDS), "PASS": "0", "SKIP": "0"}.get(word, "force")
    return ("ipmitool", "chassis", "identify", state)


def show(machine: Machine, word: str) -> str | None:
    """Has the light show a verdict. Returns what the BMC said against it as one line, None when it obeyed."""
    output = machine.run(order(word), _PATIENCE)
    if output.problem is None:
        return None
    said = output.stderr.strip().splitlines()
    return printable(said[-1] if said and output.status is not None else output.problem)
