"""Which image the node runs."""

from __future__ import annotations

import re

from alchemy_node.machine import Machine


def version(machine: Machine) -> str | None:
    """Returns the version of the image (os-release(5)); None where it says none."""
    found = re.search(r'^VERSION_ID="?([^"\n]*)"?$', machine.read("/etc/os-release") or "", re.MULTILINE)
    return found[1] if found else None
