"""The network interface that faces the rack."""

from __future__ import annotations

import fcntl
import re
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from alchemy.errors import UserError

# The kernel takes more characters, but these names go into configuration files.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")

# netdevice(7), and the numbers of linux/sockios.h and linux/if.h
_SIOCGIFFLAGS, _SIOCGIFADDR, _SIOCGIFNETMASK, _SIOCGIFHWADDR = 0x8913, 0x8915, 0x891B, 0x8927
_IFF_UP, _IFF_LOOPBACK = 0x1, 0x8


@dataclass(frozen=True)
class Interface:
    """A network interface that is up, and its first IPv4 address."""

    name: str
    address: IPv4Interface

    @property
    def ip(self) -> IPv4Address:
        """Returns the address without its prefix length."""
        return self.address.ip

    @property
    def network(self) -> IPv4Network:
        """Returns the network that the interface is in."""
        return self.address.network


def choose(name: str | None) -> Interface:
    """Returns the named interface; without a name the only one that is up and has an IPv4 address.

    Raises UserError when there is no such interface, when it is down or has no IPv4 address, and when there are several
    to choose from.
    """
    if name is not None:
        return _named(name)
    usable = [found for name in _names() if (found := _read(name)) and not _flags(name) & _IFF_LOOPBACK]
    if len(usable) == 1:
        return usable[0]
    hint = "./run boot.serve --interface NAME"
    if not usable:
        raise UserError("--interface: no interface is up with an IPv4 address", hint="ip address")
    listed = ", ".join(f"{found.name} ({found.address})" for found in usable)
    raise UserError(f"--interface: missing (expected one of {listed})", hint=hint)


def hardware_address(name: str) -> bytes:
    """Returns the six bytes of an interface's MAC."""
    return _ask(_SIOCGIFHWADDR, name)[18:24]


def _named(name: str) -> Interface:
    if not NAME.fullmatch(name) or name not in _names():
        raise UserError(f"--interface: unknown interface (expected one of {', '.join(_names())}, got {name!r})")
    if not _flags(name) & _IFF_UP:
        raise UserError(f"{name}: the interface is down", hint=f"ip link set {name} up")
    found = _read(name)
    if found is None:
        raise UserError(f"{name}: no IPv4 address", hint=f"ip address add 192.0.2.1/24 dev {name}")
    return found


def _names() -> list[str]:
    return [name for _, name in socket.if_nameindex() if NAME.fullmatch(name)]


def _read(name: str) -> Interface | None:
    """Returns the interface; None where it is down or has no IPv4 address."""
    try:
        if not _flags(name) & _IFF_UP:
            return None
        address, mask = (socket.inet_ntoa(_ask(call, name)[20:24]) for call in (_SIOCGIFADDR, _SIOCGIFNETMASK))
    except OSError:
        return None
    return Interface(name, IPv4Interface(f"{address}/{mask}"))


def _flags(name: str) -> int:
    flags: int = struct.unpack_from("H", _ask(_SIOCGIFFLAGS, name), 16)[0]
    return flags


def _ask(call: int, name: str) -> bytes:
    """Returns the `struct ifreq` that an ioctl(2) fills for an interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        return fcntl.ioctl(handle, call, struct.pack("256s", name.encode()))
