"""Tell a shortage of memory from a fault of the hardware.

A program that the kernel killed for memory, or that got none, has proven nothing; nor has what was late while the
kernel looked for memory. Sources: the kernel's mm/oom_kill.c, /proc/vmstat, Documentation/accounting/psi.rst.
"""

from __future__ import annotations

import re

from alchemy_node.burnin.activity import OUT_OF_MEMORY, Finding, Kind
from alchemy_node.machine import Machine
from alchemy_node.processes import Output

VERDICT = "out-of-memory"

# verdicts on what was not done in time
LATE = frozenset(
    {
        *("cpu-lockup", "cpu-stall", "task-hung", "disk-timeout", "nic-hung", "link-flap", "bmc-silent"),
        "slower-than-equals",
    }
)

# a kernel that has nobody left to kill, or may kill nobody
PANIC = re.compile(r"Kernel panic - not syncing: (?:Out of memory|System is deadlocked on memory)", re.IGNORECASE)

_SAID = re.compile(r"cannot allocate|out[ -]of[ -]memory|not enough memory|\bENOMEM\b|\berrno[=: ]+12\b", re.IGNORECASE)
_KILLS = re.compile(r"^oom_kill ([0-9]{1,19})$", re.MULTILINE)
_STALLED = re.compile(r"^full .*\bavg60=([0-9]{1,3}\.[0-9]{1,2})\b", re.MULTILINE)
# the share of a minute in which no task got on for want of memory: none of a burn-in, whose programs leave a reserve
_SHORT_PERCENT = 10.0


def kills(machine: Machine) -> int:
    """Returns how many processes the kernel has killed for memory since the boot, in whatever cgroup."""
    found = _KILLS.search(machine.read("/proc/vmstat") or "")
    return int(found[1]) if found else 0


def short(machine: Machine) -> bool:
    """Whether the machine has stood still for want of memory within the last minute."""
    found = _STALLED.search(machine.read("/proc/pressure/memory") or "")
    return found is not None and float(found[1]) >= _SHORT_PERCENT


def marked(output: Output, *, killed: bool) -> Output:
    """Returns the output of a program that failed for want of memory as such; any other one as it is.

    `killed` says that the kernel killed a process for memory while it ran.
    """
    if output.problem is None:
        return output
    if not killed and not any(_SAID.search(text) for text in (output.problem, output.stderr, output.stdout)):
        return output
    return Output(None, output.stdout, output.stderr, OUT_OF_MEMORY)


def excused(finding: Finding, *, starved: bool) -> Finding:
    """Returns a finding with what it is worth where memory ran out: a FAIL of what was late is an ERROR."""
    if not starved or finding.kind is not Kind.FAIL or finding.verdict not in LATE:
        return finding
    return Finding(Kind.ERROR, VERDICT, f"memory ran out, which may be why: {finding.message}", finding.part)


def doubted(finding: Finding) -> Finding:
    """Returns a finding of a step in which memory ran out: a FAIL cannot be judged."""
    if finding.kind is not Kind.FAIL:
        return finding
    return Finding(Kind.UNKNOWN, finding.verdict, f"not judged, as memory ran out: {finding.message}", finding.part)
