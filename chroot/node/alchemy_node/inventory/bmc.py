"""The BMC: its network, its firmware, its event log, its sensors. One call after the other: it serves one at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from alchemy_node.inventory.facts import Found, Json, Unknown, number, present, reason
from alchemy_node.machine import Machine
from alchemy_node.processes import MIB

DEVICES = "/dev/ipmi[0-9]*"
_SECONDS = 4.0
# A BMC of a hundred sensors takes longer than the rest of the inventory: the sensors read by then are kept.
_SENSORS_SECONDS = 8.0
_UNITS = {"degrees C": "C", "degrees F": "F", "RPM": "RPM", "Volts": "V", "Amps": "A", "Watts": "W", "percent": "%"}
_STATES = {"ok": "ok", "nc": "warning", "cr": "critical", "nr": "critical", "ns": "absent"}


@dataclass(frozen=True)
class Controller:
    """The BMC as schema.json has it, empty without one, and its sensors."""

    facts: Json
    sensors: list[Json]


def collect(machine: Machine) -> Found[Controller]:
    """Asks ipmitool."""
    if not machine.glob(DEVICES):
        absent = Unknown("bmc", DEVICES.partition("[")[0] + "0", "absent: no BMC, or no driver for it")
        return Found(Controller({}, []), (absent,))
    unknown: list[Unknown] = []

    def ask(subject: str, *words: str, seconds: float = _SECONDS) -> str:
        output = machine.run(["ipmitool", *words], seconds, MIB)
        if output.problem:
            unknown.append(Unknown(subject, " ".join(["ipmitool", *words]), reason(output)))
        return output.stdout

    about = _fields(ask("bmc firmware", "mc", "info"))
    lan = _fields(ask("bmc address", "lan", "print"))
    log = _fields(ask("bmc sel", "sel", "info"))
    mac = lan.get("MAC Address", "").lower()
    facts = present(
        address=_address(lan.get("IP Address")),
        netmask=_address(lan.get("Subnet Mask")) if _address(lan.get("IP Address")) else None,
        gateway=_address(lan.get("Default Gateway IP")),
        address_source=lan.get("IP Address Source"),
        mac=mac if re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", mac) and mac != "00:00:00:00:00:00" else None,
        vlan=number(lan.get("802.1q VLAN ID")),
        address_v6=_v6(ask("bmc address_v6", "lan6", "print")),
        firmware=about.get("Firmware Revision"),
        ipmi=about.get("IPMI Version"),
        manufacturer=about.get("Manufacturer Name"),
        product=about.get("Product Name"),
        sel=_log(log) or None,
    )
    return Found(Controller(facts, _sensors(ask("sensors", "sdr", seconds=_SENSORS_SECONDS))), tuple(unknown))


def _fields(text: str) -> dict[str, str]:
    """Lines `NAME : VALUE`; the first of a name counts."""
    fields: dict[str, str] = {}
    for name, value in re.findall(r"^([^\s:][^:\n]{0,60}?)[ \t]*:[ \t]*(.*)$", text, re.MULTILINE):
        fields.setdefault(name, value.strip())
    return fields


def _address(text: str | None) -> str | None:
    valid = re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){3}", text or "")
    return text if valid and text != "0.0.0.0" else None  # noqa: S104 - a BMC's word for none


def _v6(text: str) -> str | None:
    """The first address that is not link-local; `lan6 print` writes PREFIX/LENGTH."""
    found = re.findall(r"^[ \t]+Address:[ \t]+([0-9a-fA-F:]{3,39})(?:/[0-9]{1,3})?[ \t]*$", text, re.MULTILINE)
    return next((address.lower() for address in found if not re.match(r"(?i)fe80|::$", address)), None)


def _log(fields: dict[str, str]) -> Json:
    used = number(fields.get("Percent Used"))
    free = number(fields.get("Free Space"))
    overflow = {"true": True, "false": False}.get(fields.get("Overflow", "").lower())
    full = None if overflow is None and free is None and used is None else overflow or used == 100 or free == 0
    return present(entries=number(fields.get("Entries")), used_percent=used, full=full)


def _sensors(text: str) -> list[Json]:
    """Lines `NAME | READING | STATUS` of `ipmitool sdr`. A state, which has no number, is left out unless it is bad."""
    sensors = []
    for line in filter(lambda line: "|" in line, text.splitlines()):
        name, reading, state, *_ = (*(part.strip() for part in line.split("|")), "", "", "")
        found = re.fullmatch(r"(-?[0-9]{1,9}(?:\.[0-9]{1,6})?) (.+)", reading)
        unit = _UNITS.get(found[2]) if found else None
        status = _STATES.get(state)
        if name and status and (unit or status in ("warning", "critical")):
            value = float(found[1]) if found and unit else None
            sensors.append(present(source="bmc", name=name, value=value, unit=unit, status=status))
    return sensors
