"""The document: Ironic's inventory, and what Alchemy knows more (schema.json)."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from alchemy_node import image
from alchemy_node.inventory import (
    bmc,
    cpus,
    deadline,
    disks,
    dmi,
    firmware,
    ironic,
    kernel,
    memory,
    nics,
    pci,
    raid,
    sensors,
)
from alchemy_node.inventory.facts import Json, Unknown, present
from alchemy_node.machine import Machine
from alchemy_node.text import printable

# Of the ten seconds that an inventory may take, what programs get. A killed one may take a second more.
SECONDS = 8.0

SCHEMA = 1

# Subjects that are collected side by side.
_SUBJECTS = 6


def collect(machine: Machine, seconds: float = SECONDS) -> Json:
    """The document of a machine. It reads, and takes at most about `seconds`: what does not answer is unknown."""
    bounded = deadline.within(machine, seconds)
    with ThreadPoolExecutor(_SUBJECTS) as pool:
        # what waits for hardware begins first
        controller_later = pool.submit(bmc.collect, bounded)
        ports_later = pool.submit(nics.collect, bounded)
        log_later = pool.submit(kernel.collect, bounded)
        readings_later = pool.submit(sensors.collect, bounded)
        tables = dmi.collect(bounded)
        functions = pci.collect(bounded, tables.value.slots)
        disks_later = pool.submit(disks.collect, bounded, functions.value)
        raid_later = pool.submit(raid.collect, bounded, functions.value)
        processors = cpus.collect(bounded, tables.value.cpus)
        ram = memory.collect(bounded, tables.value.dimms, tables.value.correction)
        boot = firmware.collect(bounded, tables.value.firmware)
        controller, ports, log = controller_later.result(), ports_later.result(), log_later.result()
        drives, arrays, readings = disks_later.result(), raid_later.result(), readings_later.result()
    found = (tables, processors, ram, boot, functions, ports, drives, arrays, controller, readings, log)
    alchemy = present(
        schema=SCHEMA,
        taken=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        image=image.version(machine),
        kernel=(machine.read("/proc/sys/kernel/osrelease") or "").strip(),
        system=tables.value.system,
        board=tables.value.board,
        chassis=tables.value.chassis,
        firmware=present(**boot.value, microcode=log.value.microcode),
        cpus=processors.value.sockets,
        memory=ram.value,
        dimms=list(tables.value.dimms),
        slots=list(tables.value.slots),
        pci=functions.value,
        gpus=pci.gpus(machine, functions.value),
        nics=ports.value,
        disks=drives.value,
        raid=arrays.value,
        bmc=controller.value.facts or None,
        sensors=[*controller.value.sensors, *readings.value],
        kernel_errors=log.value.errors,
        unknown=_listed(entry for part in found for entry in part.unknown),
    )
    clean = _clean(alchemy)
    return {"inventory": ironic.inventory(machine, clean, _clean(processors.value.summary)), "alchemy": clean}


def _listed(unknown: Iterable[Unknown]) -> list[Json]:
    return [{"subject": entry.subject, "source": entry.source, "reason": entry.reason} for entry in unknown]


def _clean(value: Any) -> Any:
    """The same value with all text made safe; a key whose text comes out empty is left out."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [entry for entry in map(_clean, value) if entry != ""]
    if isinstance(value, dict):
        pairs = ((key, _clean(entry)) for key, entry in value.items())
        return {key: entry for key, entry in pairs if entry != ""}
    return value
