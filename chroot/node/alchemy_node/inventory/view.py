"""The inventory for a person: one screen of 80 columns, faults first."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from alchemy_node.inventory.facts import Json
from alchemy_node.judging.finding import Finding
from alchemy_node.parts import binary, decimal

_WIDTH = 79
_INDENT = 10
# So many problems and so many unknown sources are told one by one.
_MOST = 12


def text(document: Json, findings: Sequence[Finding]) -> str:
    """The document as a page of text, with the findings of judging above."""
    alchemy = document["alchemy"]
    lines = [*textwrap.wrap(_machine(document), _WIDTH), "", *_problems(findings), ""]
    for title, of in _SECTIONS:
        lines += _section(title, of(alchemy))
    return "\n".join([*lines, *_section("Unknown", _unread(alchemy["unknown"]))]) + "\n"


def _section(title: str, entries: Iterable[str]) -> list[str]:
    """The entries below each other, behind the title; what an entry has too much for its line is indented further."""
    lines = []
    for entry in entries:
        head = f"{title:<{_INDENT}}"
        lines += textwrap.wrap(entry, _WIDTH, initial_indent=head, subsequent_indent=" " * (_INDENT + 2))
        title = ""
    return lines


def _machine(document: Json) -> str:
    system = document["alchemy"]["system"]
    name = " ".join(system[key] for key in ("manufacturer", "product") if key in system) or "a machine without DMI"
    serial = f", serial {system['serial']}" if "serial" in system else ""
    return f"{name}{serial}, {document['alchemy']['taken']}"


def _problems(findings: Sequence[Finding]) -> list[str]:
    told = [line for finding in findings[:_MOST] for line in _section(finding.verdict, [str(finding)])]
    if len(findings) > _MOST:
        told += _section("", [f"and {len(findings) - _MOST} more"])
    return told or ["No problems found."]


def _unread(unknown: Sequence[Json]) -> Iterator[str]:
    yield from (f"{entry['subject']}: {entry['source']}: {entry['reason']}" for entry in unknown[:_MOST])
    if len(unknown) > _MOST:
        yield f"and {len(unknown) - _MOST} more: alchemy-inventory --json"


def _alike(parts: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Each text once, with how often it came, in the order of its first time."""
    counts: dict[str, int] = {}
    for part in parts:
        counts[part] = counts.get(part, 0) + 1
    return ((count, part) for part, count in counts.items())


def _joined(*parts: Any) -> str:
    return ", ".join(str(part) for part in parts if part)


def _optional(form: str, value: Any) -> str:
    return form.format(value) if value is not None else ""


def _cpus(alchemy: Json) -> Iterator[str]:
    def one(cpu: Json) -> str:
        return _joined(
            cpu.get("model", "unknown model"),
            _optional("{} cores", cpu.get("cores", cpu.get("kernel_cores"))),
            _optional("{} threads", cpu.get("threads", cpu.get("kernel_threads"))),
            _optional("microcode {}", cpu.get("microcode")),
        )

    yield from (f"{count} x {cpu}" for count, cpu in _alike(one(cpu) for cpu in alchemy["cpus"] if cpu["populated"]))
    empty = [cpu.get("socket", "a socket without a name") for cpu in alchemy["cpus"] if not cpu["populated"]]
    if empty:
        yield f"empty: {', '.join(empty)}"


def _memory(alchemy: Json) -> Iterator[str]:
    def one(dimm: Json) -> str:
        rated, running = dimm.get("rated_mts"), dimm.get("running_mts")
        return _joined(
            binary(dimm["size"]) if "size" in dimm else "unknown size",
            " ".join(str(dimm[key]) for key in ("type", "manufacturer", "part") if key in dimm),
            _optional("{} MT/s", running or rated) + (f" of {rated}" if rated and running and rated != running else ""),
            "ECC" if dimm.get("ecc") else "",
        )

    memory, dimms = alchemy["memory"], alchemy["dimms"]
    filled = [dimm for dimm in dimms if dimm.get("size") != 0]
    yield _joined(
        _optional("{} installed", binary(memory["installed"]) if "installed" in memory else None),
        _optional("the kernel has {}", binary(memory["kernel"]) if "kernel" in memory else None),
        f"{len(filled)} of {len(dimms)} slots filled" if dimms else "",
    )
    yield from (f"{count} x {dimm}" for count, dimm in _alike(map(one, filled)))


def _network(alchemy: Json) -> Iterator[str]:
    for port in alchemy["nics"]:
        speed = _optional("{} Mbit/s", port.get("speed_mbps")) if port["link"] else "no link"
        heard = [
            " ".join(str(peer[key]) for key in ("system_name", "port_id") if key in peer) or peer.get("chassis_id", "")
            for peer in port["neighbours"]
        ]
        yield _joined(
            f"{port['name']} {port.get('mac', '')}".strip(),
            speed or "link",
            port.get("driver"),
            _optional("firmware {}", port.get("firmware")),
            _optional("at {}", " and ".join(heard) if heard else None),
        )


def _drive(disk: Json) -> str:
    return _joined(
        " ".join(str(disk[key]) for key in ("vendor", "model") if key in disk) or "unknown model",
        decimal(disk["size"]) if "size" in disk else "unknown size",
        disk.get("transport"),
        _optional("firmware {}", disk.get("firmware")),
    )


def _disks(alchemy: Json) -> Iterator[str]:
    for count, kind in _alike(map(_drive, alchemy["disks"])):
        names = ", ".join(disk["name"] for disk in alchemy["disks"] if _drive(disk) == kind)
        yield f"{count} x {kind}: {names}"


def _raid(alchemy: Json) -> Iterator[str]:
    for controller in alchemy["raid"]:
        name = controller.get("model", controller.get("driver", "unknown model"))
        drives = "; ".join(f"{count} x {kind}" for count, kind in _alike(map(_drive, controller["drives"])))
        yield f"{controller['address']} {name}: {drives or 'no drives seen behind it'}"


def _gpus(alchemy: Json) -> Iterator[str]:
    def one(gpu: Json) -> str:
        size = _optional("largest BAR {}", binary(gpu["largest_bar"]) if "largest_bar" in gpu else None)
        return _joined(f"{gpu.get('vendor', '')} {gpu.get('model', '')}".strip(), size)

    yield from (f"{count} x {gpu}" for count, gpu in _alike(map(one, alchemy["gpus"])))


def _bmc(alchemy: Json) -> Iterator[str]:
    bmc = alchemy.get("bmc")
    if bmc:
        log = bmc.get("sel", {})
        yield _joined(
            bmc.get("address", "no address"),
            bmc.get("mac"),
            _optional("firmware {}", bmc.get("firmware")),
            _optional("event log {} entries", log.get("entries")) + (" (full)" if log.get("full") else ""),
        )


def _firmware(alchemy: Json) -> Iterator[str]:
    firmware = alchemy["firmware"]
    secure = {True: "Secure Boot on", False: "Secure Boot off"}.get(firmware.get("secure_boot"))
    yield _joined(
        " ".join(firmware[key] for key in ("vendor", "version") if key in firmware),
        firmware.get("date"),
        {"uefi": "UEFI", "bios": "BIOS"}[firmware["mode"]],
        secure,
        _optional("TPM {}", firmware.get("tpm")),
        _optional("microcode {} before the kernel's", firmware.get("microcode")),
    )


def _sensors(alchemy: Json) -> Iterator[str]:
    sensors = alchemy["sensors"]
    hottest = max((s for s in sensors if s.get("unit") == "C" and "value" in s), key=lambda s: s["value"], default=None)
    bad = [sensor for sensor in sensors if sensor.get("status") in ("warning", "critical")]
    if sensors:
        yield _joined(
            f"{len(sensors)} read",
            f"hottest {hottest['name']} {hottest['value']:g} C" if hottest else "",
            *(f"{sensor['name']} {sensor['status']}" for sensor in bad[:4]),
        )


def _kernel(alchemy: Json) -> Iterator[str]:
    errors = alchemy["kernel_errors"]
    unread = any(entry["subject"] == "kernel_errors" for entry in alchemy["unknown"])
    told = f"{len(errors) or 'no'} errors since boot" if errors or not unread else "its errors are unknown"
    yield _joined(alchemy.get("kernel"), told)
    yield from (error["text"] for error in errors[:2])


_SECTIONS = (
    ("CPU", _cpus),
    ("Memory", _memory),
    ("Network", _network),
    ("Disks", _disks),
    ("RAID", _raid),
    ("GPU", _gpus),
    ("BMC", _bmc),
    ("Firmware", _firmware),
    ("Sensors", _sensors),
    ("Kernel", _kernel),
)
