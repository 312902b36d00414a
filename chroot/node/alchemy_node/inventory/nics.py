"""Network ports: link, firmware, and what LLDP hears on each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from alchemy_node.inventory import lldp
from alchemy_node.inventory.facts import Found, Json, Unknown, all_of, number, present, reason
from alchemy_node.inventory.pci import address_of
from alchemy_node.machine import Machine

NET = "/sys/class/net"
_SECONDS = 4.0
_ADDRESSES = ("ip", "-o", "addr", "show")
_UP = 0x1


def collect(machine: Machine) -> Found[list[Json]]:
    """The physical ports, in the order of their PCI addresses, without virtual functions."""
    names = [
        path.split("/")[-2]
        for path in machine.glob(f"{NET}/*/device")
        if not machine.exists(f"{path}/physfn") and machine.link(path) is not None
    ]
    if not names:
        return Found([])
    heard, addresses = lldp.neighbours(machine), _addresses(machine)
    found = all_of([partial(_port, machine, name, heard.value, addresses.value) for name in names])
    ports = sorted((port.value for port in found), key=lambda port: (port.get("address", "~"), port["name"]))
    unknown = tuple(entry for port in found for entry in port.unknown)
    return Found(ports, heard.unknown + addresses.unknown + unknown)


def _addresses(machine: Machine) -> Found[dict[str, Json]]:
    """The first global IPv4 and IPv6 address of each interface, from lines `INDEX: NAME inet ADDRESS/LENGTH ...`."""
    output = machine.run(_ADDRESSES, _SECONDS)
    if output.problem:
        return Found({}, (Unknown("nics ipv4", " ".join(_ADDRESSES), reason(output)),))
    addresses: dict[str, Json] = {}
    for name, family, address, rest in re.findall(
        r"^[0-9]+: ([^\s:]+)[ \t]+(inet6?) ([0-9a-fA-F:.]{3,45})(?:/[0-9]+)?(.*)$", output.stdout, re.MULTILINE
    ):
        if "scope global" in rest:
            addresses.setdefault(name, {}).setdefault("ipv6" if family == "inet6" else "ipv4", address.lower())
    return Found(addresses)


def _port(machine: Machine, name: str, heard: Mapping[str, list[Json]], addresses: Mapping[str, Json]) -> Found[Json]:
    def read(leaf: str) -> str | None:
        return (machine.read(f"{NET}/{name}/{leaf}", 4096) or "").strip() or None

    identity = machine.run(["ethtool", "-i", name], _SECONDS)
    modes = machine.run(["ethtool", name], _SECONDS)
    flags = machine.run(["ethtool", "--show-priv-flags", name], _SECONDS)
    about = dict(re.findall(r"^([a-z-]+):[ \t]*(.*)$", identity.stdout, re.MULTILINE))
    unknown = [
        Unknown(f"nics {name}", " ".join(argv), reason(output))
        for argv, output in ((("ethtool", "-i", name), identity), (("ethtool", name), modes))
        if output.problem
    ]
    link = read("carrier") == "1"
    if not (number(read("flags"), 16) or 0) & _UP:
        unknown.append(Unknown(f"nics {name} link", f"{NET}/{name}/carrier", "the interface is down"))
    # a port of a bond shows the bond's address
    mac = (read("bonding_slave/perm_hwaddr") or read("address") or "").lower()
    speed = number(read("speed")) if link else None
    port = present(
        name=name,
        mac=mac if re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", mac) else None,
        address=address_of(machine.link(f"{NET}/{name}/device")),
        driver=about.get("driver") or _name(machine.link(f"{NET}/{name}/device/driver")),
        driver_version=about.get("version"),
        firmware=_firmware(about.get("firmware-version")),
        link=link,
        speed_mbps=speed or None,
        max_mbps=_fastest(modes.stdout),
        full_duplex={"full": True, "half": False}.get(read("duplex") or "") if link else None,
        lldp_in_firmware=_in_firmware(flags.stdout),
        neighbours=heard.get(name, []),
        **addresses.get(name, {}),
    )
    return Found(port, tuple(unknown))


def _name(path: str | None) -> str | None:
    return path.rpartition("/")[2] if path else None


def _firmware(text: str | None) -> str | None:
    """Drivers that do not know write N/A."""
    return None if text is None or text.strip().upper() in ("N/A", "NA") else text.strip()


def _fastest(text: str) -> int | None:
    """The fastest of the supported link modes, as ethtool lists them (25000baseCR/Full ...)."""
    block = re.search(r"Supported link modes:([^:]*)", text)
    speeds = re.findall(r"\b([0-9]{2,7})base", block[1] if block else "")
    return max(map(int, speeds), default=None)


def _in_firmware(text: str) -> bool | None:
    """Whether the NIC's firmware takes LLDP frames: i40e has disable-fw-lldp, ice has fw-lldp-agent."""
    flags: dict[str, str] = dict(re.findall(r"^([\w-]{1,64})[ \t]*:[ \t]*(on|off)[ \t]*$", text, re.MULTILINE))
    if "disable-fw-lldp" in flags:
        return flags["disable-fw-lldp"] == "off"
    return flags["fw-lldp-agent"] == "on" if "fw-lldp-agent" in flags else None
