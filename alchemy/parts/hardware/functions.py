"""A function of a machine: what a driver binds to, on PCI or USB."""

from __future__ import annotations

import re
from dataclasses import dataclass

# the longest name that is shown
_NAME = 72

# a modalias of the kernel (scripts/mod/file2alias.c); `*` stands for a field that a dump does not give
_PCI = re.compile(
    r"pci:v([0-9A-Fa-f]{8}|\*)d([0-9A-Fa-f]{8}|\*)sv([0-9A-Fa-f]{8}|\*)"
    r"sd([0-9A-Fa-f]{8}|\*)bc([0-9A-Fa-f]{2}|\*)sc([0-9A-Fa-f]{2}|\*)"
    r"i([0-9A-Fa-f]{2}|\*)"
)
_USB = re.compile(
    r"usb:v([0-9A-Fa-f]{4})p([0-9A-Fa-f]{4})d[0-9A-Fa-f]{4}dc[0-9A-Fa-f]{2}dsc[0-9A-Fa-f]{2}"
    r"dp[0-9A-Fa-f]{2}ic([0-9A-Fa-f]{2})isc([0-9A-Fa-f]{2})ip([0-9A-Fa-f]{2})in[0-9A-Fa-f]{2}"
)
# virtual functions whose driver, igbvf, is for guests alone; the drivers of others serve their physical functions too
_VIRTUAL = ((0x8086, 0x10CA), (0x8086, 0x1520))

ALIAS = re.compile(r"[a-z][a-z0-9_+-]{0,31}:\S{1,4096}")


# vendor, device, subsystem's vendor and device, then the class: base class, subclass, programming interface. None is
# one that a dump does not give. Of a USB interface the third and fourth are always None.
Fields = tuple[int | None, ...]


@dataclass(frozen=True)
class Function:
    """A function with its ids and its class: PCI's, or that of a USB interface.

    `address` may be empty. `driver` is the one bound in the dump. `kind` overrides the class, for a dump without one.
    """

    address: str
    fields: Fields
    name: str = ""
    driver: str | None = None
    kind: str = ""
    bus: str = "pci"

    @property
    def identity(self) -> str:
        """The ids as lspci shows them, `vvvv:dddd`; `????` is one that the dump does not give."""
        return ":".join("????" if number is None else f"{number:04x}" for number in self.fields[:2])

    @property
    def role(self) -> str:
        """`NIC`, `storage`, `BMC`, or `other`. A virtual function belongs to a guest, and is `other`."""
        if self.kind:
            return self.kind
        if "virtual function" in self.name.lower() or self.fields[:2] in _VIRTUAL:
            return "other"
        return "NIC" if self.bus == "usb" else _role(*self.fields[:2], *self.fields[4:6])


def _role(vendor: int | None, device: int | None, base: int | None, sub: int | None) -> str:
    # InfiniBand and Omni-Path adapters are serial buses to some makers, Fibre Channel to all
    if base == 0x02 or (base, sub) == (0x0C, 0x06):
        return "NIC"
    if base == 0x01 or (base, sub) == (0x0C, 0x04):
        return "storage"
    # IPMI, and the management functions of an iLO
    if (base, sub) == (0x0C, 0x07) or (vendor, device) in ((0x103C, 0x3306), (0x103C, 0x3307)):
        return "BMC"
    return "other"


def of_modalias(alias: str, *, address: str = "", name: str = "", driver: str | None = None) -> Function | None:
    """Returns the function of a modalias; None for a bus, and for a USB interface that is not a network's."""
    match = _PCI.fullmatch(alias)
    if match:
        fields = tuple(None if value == "*" else int(value, 16) for value in match.groups())
        return Function(address, fields, shown(name), driver)
    match = _USB.fullmatch(alias)
    if match is None:
        return None
    vendor, device, base, sub, interface = (int(value, 16) for value in match.groups())
    # Ethernet of CDC (ECM, EEM, NCM) and RNDIS
    ethernet = base == 0x02 and sub in (0x06, 0x0C, 0x0D)
    if not ethernet and (base, sub, interface) not in ((0xE0, 0x01, 0x03), (0x02, 0x02, 0xFF)):
        return None
    return Function(address, (vendor, device, None, None, base, sub, interface), shown(name), driver, bus="usb")


def shown(name: str) -> str:
    """Returns a name from a dump, without line breaks and cut to a length that fits a line."""
    return " ".join(name.split())[:_NAME]
