"""Boot parameters of the running kernel, for those that the running system acts on (chroot/early/parameters)."""

from __future__ import annotations

import re

from alchemy_node.machine import Machine

# A word of the kernel's command line: double quotes protect blanks (next_arg in lib/cmdline.c).
_WORD = re.compile(r'(?:[^\s"]|"[^"]*(?:"|$))+')


def values(machine: Machine) -> dict[str, str]:
    """Returns the value of each NAME=VALUE; the last of a name counts."""
    found = {}
    for word in _WORD.findall((machine.read("/proc/cmdline", 1 << 16) or "").strip()):
        name, equals, value = word.replace('"', "").partition("=")
        if equals:
            found[name] = value
    return found


def doubts(machine: Machine) -> dict[str, str]:
    """Returns why the preliminary init refuses a download, by the parameter that names its URL.

    A parameter that was to verify it is empty, malformed or misspelt (note_doubts in chroot/early/verify.sh).
    """
    lines = (machine.read("/run/alchemy/doubts") or "").splitlines()
    return {name: reason for name, _, reason in (line.partition(" ") for line in lines)}
