"""The inventory as Ironic's inspection API takes it: all keys of its agent, null for an unknown value."""

from __future__ import annotations

import re

from alchemy_node.inventory.facts import Json
from alchemy_node.machine import Machine

_BY_PATH = "/dev/disk/by-path"


def inventory(machine: Machine, alchemy: Json, processor: Json) -> Json:
    """Ironic's inventory of a machine, made from the rest of the document."""
    functions = {function["address"]: function for function in alchemy["pci"]}
    system, firmware, bmc = alchemy["system"], alchemy["firmware"], alchemy.get("bmc", {})
    installed = alchemy["memory"].get("installed")
    return {
        "interfaces": [_interface(port, functions) for port in alchemy["nics"]],
        "cpu": {name: processor.get(name) for name in _CPU} | {"flags": processor["flags"]},
        "memory": {
            "total": alchemy["memory"].get("kernel"),
            "physical_mb": None if installed is None else installed >> 20,
        },
        "disks": [_disk(machine, disk) for disk in alchemy["disks"]],
        "bmc_address": bmc.get("address"),
        "bmc_v6address": bmc.get("address_v6"),
        "bmc_mac": bmc.get("mac"),
        "system_vendor": {
            "product_name": system.get("product"),
            "serial_number": system.get("serial"),
            "manufacturer": system.get("manufacturer"),
            "firmware": {
                "vendor": firmware.get("vendor"),
                "version": firmware.get("version"),
                "build_date": firmware.get("date"),
            },
        },
        "boot": {"current_boot_mode": firmware["mode"], "pxe_interface": _boot_mac(machine)},
        "hostname": (machine.read("/proc/sys/kernel/hostname") or "").strip() or None,
    }


_CPU = ("model_name", "frequency", "count", "architecture", "flags", "socket_count")


def _interface(port: Json, functions: Json) -> Json:
    function = functions.get(port.get("address", ""), {})
    return {
        "name": port["name"],
        "mac_address": port.get("mac"),
        "ipv4_address": port.get("ipv4"),
        "ipv6_address": port.get("ipv6"),
        "has_carrier": port["link"],
        "lldp": None,
        "vendor": f"0x{function['vendor']}" if function else None,
        "product": f"0x{function['device']}" if function else None,
        "client_id": None,
        "biosdevname": None,
        "speed_mbps": port.get("speed_mbps"),
        "pci_address": port.get("address"),
        "driver": port.get("driver"),
    }


def _disk(machine: Machine, disk: Json) -> Json:
    wwn = disk.get("wwn")
    links = (link for link in machine.glob(f"{_BY_PATH}/*") if machine.link(link) == f"/dev/{disk['name']}")
    return {
        "name": f"/dev/{disk['name']}",
        "model": disk.get("model"),
        "size": disk.get("size"),
        "rotational": disk.get("rotational"),
        "wwn": wwn,
        "serial": disk.get("serial"),
        "vendor": disk.get("vendor"),
        "wwn_with_extension": wwn,
        "wwn_vendor_extension": None,
        "hctl": disk.get("hctl"),
        "by_path": next(links, None),
        "logical_sectors": disk.get("logical_sector"),
        "physical_sectors": disk.get("physical_sector"),
        "tran": disk.get("transport"),
    }


def _boot_mac(machine: Machine) -> str | None:
    """The MAC address in BOOTIF=01-aa-bb-... of the kernel's command line."""
    found = re.search(
        r"(?:^|\s)BOOTIF=01-([0-9a-fA-F]{2}(?:-[0-9a-fA-F]{2}){5})(?:\s|$)", machine.read("/proc/cmdline") or ""
    )
    return found[1].replace("-", ":").lower() if found else None
