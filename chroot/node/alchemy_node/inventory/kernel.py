"""The kernel's log since boot: its errors, and the microcode that it found."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from alchemy_node.inventory.facts import Found, Json, Unknown, present, reason
from alchemy_node.machine import Machine
from alchemy_node.text import printable

_COMMAND = ("dmesg", "-r")
_SECONDS = 4.0
_LEVELS = ("emerg", "alert", "crit", "err")
_MOST = 200

# the lowest priority of a message that is not the kernel's own
_FROM_USER_SPACE = 8

# what the kernel says of the boot CPU after it has loaded microcode (arch/x86/kernel/cpu/microcode/core.c)
_UPDATED = re.compile(r"microcode: Updated early from: (0x[0-9a-f]{1,8})", re.ASCII)


@dataclass(frozen=True)
class Log:
    """Messages of the levels up to err, each text once; the microcode before the kernel has loaded other, if it has."""

    errors: list[Json] = field(default_factory=list)
    microcode: str | None = None


def collect(machine: Machine) -> Found[Log]:
    """What the log says."""
    output = machine.run(_COMMAND, _SECONDS)
    errors: dict[tuple[str, str], Json] = {}
    microcode = None
    lines = 0
    for line in output.stdout.splitlines():
        found = re.match(r"<([0-9]{1,4})>\s*(?:\[\s*([0-9]{1,9}\.[0-9]{1,9})\])?\s*(.*)", line)
        if not found:
            continue
        lines += 1
        # the lowest three bits of a priority are its level
        level = int(found[1]) & 7
        text = printable(found[3])
        updated = _UPDATED.fullmatch(text)
        if updated and int(found[1]) < _FROM_USER_SPACE:
            # as /proc/cpuinfo writes it
            microcode = f"{int(updated[1], 16):#x}"
        if level < len(_LEVELS) and text:
            key = (_LEVELS[level], text)
            seconds = float(found[2]) if found[2] else None
            known = errors.setdefault(key, present(level=key[0], seconds=seconds, text=text, count=0))
            known["count"] += 1
    unknown = [] if lines and not output.problem else [Unknown("kernel_errors", " ".join(_COMMAND), reason(output))]
    if len(errors) > _MOST:
        unknown.append(Unknown("kernel_errors", " ".join(_COMMAND), f"{len(errors) - _MOST} more messages"))
    return Found(Log(list(errors.values())[:_MOST], microcode), tuple(unknown))
