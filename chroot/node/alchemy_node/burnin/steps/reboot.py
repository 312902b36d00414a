"""Reboot the machine as often as the profile says: what does not come back is found by comparing the inventories.

The supervisor leaves the run open for each reboot; the boot goes on with it, and starts this step once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from alchemy_node.burnin.activity import Activity, Finding, Kind, Outcome, Pause, one
from alchemy_node.burnin.ocp import Hardware
from alchemy_node.burnin.parts import Part
from alchemy_node.burnin.step import Planned, Setting


class RebootError(Exception):
    """Raised by the step to have the machine rebooted; the message says which reboot it is."""


def plan(setting: Setting) -> Planned:
    """Plans the reboots that are left."""
    wanted = setting.options.reboots
    if not wanted:
        return Planned(skip="the profile asks for no reboots")
    if setting.reboots is None:
        return Planned(skip="no rack service keeps the record over a reboot (rack_url=)")
    return Planned((partial(reboot, setting.reboots, wanted),), f"reboots the machine {wanted} times")


def reboot(done: int, wanted: int) -> Activity[Outcome]:
    """Has the machine rebooted until that was done often enough. Raises RebootError."""
    yield Pause(0)
    if done < wanted:
        raise RebootError(f"reboot {done + 1} of {wanted}")
    return one(Kind.PASS, "reboots", f"the machine came back from {done} reboots")


def lost(before: Iterable[Hardware], now: Iterable[Hardware]) -> Iterator[Finding]:
    """Yields the parts that did not come back; a part is known by its serial, or else by its id."""
    there = list(now)
    serials = {hardware.serial_number for hardware in there}
    identifiers = {hardware.id for hardware in there}
    for hardware in before:
        known = hardware.serial_number in serials if hardware.serial_number else hardware.id in identifiers
        if not known:
            part = Part(hardware.name, hardware.serial_number, hardware.id)
            yield Finding(Kind.FAIL, "vanished", f"reseat {part}, then replace it: it was gone after a boot", part)
