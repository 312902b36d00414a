"""Waits until LLDP has heard a neighbour on each port that has a link.

A switch sends every 30 s (IEEE 802.1AB, msgTxInterval), so two intervals are enough for each that sends at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from alchemy_node.intake import bounded_xml, pair, preflight
from alchemy_node.machine import Machine

SECONDS = 60.0
_STEP = 2.0

# What turns a NIC's own LLDP agent off, by driver (the kernel's documentation of i40e and ice).
_FIRMWARE = {
    "i40e": "ethtool --set-priv-flags {port} disable-fw-lldp on",
    "ice": "ethtool --set-priv-flags {port} fw-lldp-agent off",
}


@dataclass(frozen=True)
class Silent:
    """A port with a link and without a neighbour, and a command or an advice."""

    port: str
    problem: str
    hint: str


def linked_ports(machine: Machine) -> list[str]:
    """Returns the names of the physical ports that have a link."""
    found = []
    for folder in machine.glob("/sys/class/net/*"):
        is_port = machine.exists(f"{folder}/device") and not machine.exists(f"{folder}/device/physfn")
        if is_port and (machine.read(f"{folder}/carrier") or "").strip() == "1":
            found.append(folder.rpartition("/")[2])
    return found


def wait(
    machine: Machine,
    seconds: float = SECONDS,
    pause: Callable[[float], None] = sleep,
    clock: Callable[[], float] = monotonic,
) -> list[str]:
    """Returns the linked ports on which nothing was heard for so many seconds; empty as soon as there is none.

    Without a link or without lldpd there is nothing to wait for.
    """
    end = clock() + seconds
    while linked := linked_ports(machine):
        output = machine.run(pair.LLDP, 15)
        silent = sorted(set(linked) - _heard(output.stdout))
        if not silent or clock() >= end or output.problem == "not installed":
            return silent
        pause(_STEP)
    return []


def explain(silent: list[str], document: Mapping[str, Any]) -> list[Silent]:
    """Returns the data of each silent port in the inventory document, with a hint."""
    nics = {nic["name"]: nic for nic in document["alchemy"]["nics"]}
    return [_explain(port, nics.get(port, {})) for port in silent]


def _explain(port: str, nic: Mapping[str, Any]) -> Silent:
    command = _FIRMWARE.get(nic.get("driver", ""))
    if nic.get("lldp_in_firmware") and command:
        problem = "no LLDP neighbour: the NIC's firmware takes the LLDP frames for itself"
        return Silent(port, problem, command.format(port=port))
    return Silent(port, "no LLDP neighbour on a port with a link", "enable LLDP on the switch port")


def _heard(text: str) -> set[str]:
    """Returns the ports on which lldpd has a neighbour; empty while it does not answer."""
    try:
        root = bounded_xml.parse(text)
    except bounded_xml.XmlError:
        return set()
    return {one.get("name", "") for one in preflight.interfaces(root)}
