"""The processors: DMI's sockets, and what the kernel runs on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from alchemy_node.inventory.facts import Found, Json, Unknown, number, present
from alchemy_node.machine import Machine

_CPUINFO = "/proc/cpuinfo"
_FLAGS = ("flags", "Features")


@dataclass(frozen=True)
class Thread:
    """One logical CPU: where it is, and what /proc/cpuinfo says of it."""

    package: int
    core: int
    fields: dict[str, str]


@dataclass(frozen=True)
class Processors:
    """The sockets as schema.json has them, and Ironic's summary."""

    sockets: list[Json]
    summary: Json


def collect(machine: Machine, dmi: Sequence[Json]) -> Found[Processors]:
    """The machine's processors; `dmi` has DMI's."""
    threads = _threads(machine)
    packages = sorted({thread.package for thread in threads})
    kernel = [_package(threads, package) for package in packages]
    populated = [cpu for cpu in dmi if cpu["populated"]]
    unknown: tuple[Unknown, ...] = ()
    if not threads:
        unknown = (Unknown("cpus", _CPUINFO, "absent or without processors"),)
    if not dmi:
        sockets = [{"populated": True, **package} for package in kernel]
    elif len(populated) == len(kernel):
        behind = iter(kernel)
        sockets = [{**next(behind), **cpu} if cpu["populated"] else cpu for cpu in dmi]
    else:
        sockets = list(dmi)
        if threads:
            reason = f"DMI has {len(populated)} populated sockets, the kernel has {len(kernel)}"
            unknown = (Unknown("cpus package", _CPUINFO, reason),)
    return Found(Processors(sockets, _summary(machine, threads, len(packages))), unknown)


def _threads(machine: Machine) -> list[Thread]:
    threads = []
    # 16 MiB hold thousands of threads
    for block in re.split(r"\n[ \t]*\n", machine.read(_CPUINFO, 16 << 20) or ""):
        pairs = (line.split(":", 1) for line in block.splitlines() if ":" in line)
        fields = {name.strip(): value.strip() for name, value in pairs}
        index = number(fields.get("processor"))
        if index is not None:
            folder = f"/sys/devices/system/cpu/cpu{index}/topology"
            package = _first(fields.get("physical id"), machine.read(f"{folder}/physical_package_id"))
            core = _first(fields.get("core id"), machine.read(f"{folder}/core_id"))
            threads.append(Thread(package or 0, index if core is None else core, fields))
    return threads


def _first(*texts: str | None) -> int | None:
    return next((known for text in texts if (known := number(text)) is not None), None)


def _package(threads: Sequence[Thread], package: int) -> Json:
    mine = [thread for thread in threads if thread.package == package]
    first = mine[0].fields
    microcode = sorted({thread.fields["microcode"] for thread in mine if "microcode" in thread.fields})
    return present(
        package=package,
        manufacturer=first.get("vendor_id"),
        model=first.get("model name"),
        kernel_cores=len({thread.core for thread in mine}),
        kernel_threads=len(mine),
        microcode=", ".join(microcode),
    )


def _summary(machine: Machine, threads: Sequence[Thread], packages: int) -> Json:
    first = threads[0].fields if threads else {}
    maximum = number(machine.read("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"))
    return {
        "model_name": first.get("model name"),
        "frequency": str(maximum // 1000) if maximum else first.get("cpu MHz"),
        "count": len(threads) or None,
        "architecture": (machine.read("/proc/sys/kernel/arch") or "").strip() or None,
        "flags": next((first[name].split() for name in _FLAGS if name in first), []),
        "socket_count": packages or None,
    }
