"""Have the kernel look for corrected machine checks more often than each five minutes, and right now."""

from __future__ import annotations

import os

from alchemy_node.burnin.evidence import number
from alchemy_node.machine import Machine

# Documentation/ABI/testing/sysfs-mce: seconds; 0 is never. Each change of it has every CPU look at once.
_INTERVAL = "/sys/devices/system/machinecheck/machinecheck0/check_interval"


def poll(machine: Machine, seconds: int) -> int | None:
    """Has the kernel look now, then each `seconds`; returns the earlier interval, None where it cannot be set."""
    old = number(machine.read(_INTERVAL))
    if old is None:
        return None
    try:
        descriptor = os.open(machine.root / _INTERVAL.lstrip("/"), os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # the same value once more would change nothing, and nothing would be looked at
        os.write(descriptor, str(seconds + (seconds == old)).encode())
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return old
