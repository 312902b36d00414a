"""The errors in the kernel's log since boot."""

from __future__ import annotations

import re

from alchemy_node.inventory.facts import Found, Json, Unknown, present, reason
from alchemy_node.machine import Machine
from alchemy_node.text import printable

_COMMAND = ("dmesg", "-r")
_SECONDS = 4.0
_LEVELS = ("emerg", "alert", "crit", "err")
_MOST = 200


def collect(machine: Machine) -> Found[list[Json]]:
    """Messages of the levels up to err, each text once."""
    output = machine.run(_COMMAND, _SECONDS)
    errors: dict[tuple[str, str], Json] = {}
    lines = 0
    for line in output.stdout.splitlines():
        found = re.match(r"<([0-9]{1,4})>\s*(?:\[\s*([0-9]{1,9}\.[0-9]{1,9})\])?\s*(.*)", line)
        if not found:
            continue
        lines += 1
        # the lowest three bits of a priority are its level
        level = int(found[1]) & 7
        text = printable(found[3])
        if level < len(_LEVELS) and text:
            key = (_LEVELS[level], text)
            seconds = float(found[2]) if found[2] else None
            known = errors.setdefault(key, present(level=key[0], seconds=seconds, text=text, count=0))
            known["count"] += 1
    unknown = [] if lines and not output.problem else [Unknown("kernel_errors", " ".join(_COMMAND), reason(output))]
    if len(errors) > _MOST:
        unknown.append(Unknown("kernel_errors", " ".join(_COMMAND), f"{len(errors) - _MOST} more messages"))
    return Found(list(errors.values())[:_MOST], tuple(unknown))
