"""What LLDP heard, from lldpd's json0 format, which has a list wherever there may be several of a thing."""

from __future__ import annotations

from typing import Any

from alchemy_node.inventory.facts import Found, Json, Unknown, at, items, number, parse, present, reason, text_at
from alchemy_node.machine import Machine

COMMAND = ("lldpcli", "-f", "json0", "show", "neighbors", "details")
_SECONDS = 4.0


def neighbours(machine: Machine) -> Found[dict[str, list[Json]]]:
    """All neighbours of each interface that has some."""
    output = machine.run(COMMAND, _SECONDS)
    document = parse(output.stdout)
    if not isinstance(at(document, "lldp"), list):
        return Found({}, (Unknown("nics neighbours", " ".join(COMMAND), reason(output)),))
    heard: dict[str, list[Json]] = {}
    for interface in (entry for block in items(document, "lldp") for entry in items(block, "interface")):
        name = text_at(interface, "name")
        if name:
            heard.setdefault(name, []).append(_neighbour(interface))
    return Found(heard)


def _neighbour(interface: Any) -> Json:
    chassis, port = at(interface, "chassis", 0), at(interface, "port", 0)
    vlans = [
        present(id=identity, name=text_at(vlan, "value"), pvid=at(vlan, "pvid") in (True, "yes"))
        for vlan in items(interface, "vlan")
        if (identity := _number(at(vlan, "vlan-id"))) is not None
    ]
    return present(
        protocol=text_at(interface, "via"),
        chassis_id=text_at(chassis, "id", 0, "value"),
        chassis_id_type=text_at(chassis, "id", 0, "type"),
        system_name=text_at(chassis, "name", 0, "value"),
        system_description=text_at(chassis, "descr", 0, "value"),
        management=[text for entry in items(chassis, "mgmt-ip") if (text := text_at(entry, "value"))] or None,
        port_id=text_at(port, "id", 0, "value"),
        port_id_type=text_at(port, "id", 0, "type"),
        port_description=text_at(port, "descr", 0, "value"),
        vlans=vlans or None,
    )


def _number(value: Any) -> int | None:
    return number(str(value)) if isinstance(value, str | int) else None
