"""The ports of DHCP, TFTP and HTTP: whether they are free, and who holds those that are not."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal

from alchemy.errors import UserError
from alchemy.rack.serving import open_files

DHCP, TFTP, PROXY = 67, 69, 4011

# Debian starts the servers that it installs
_HINT = "stop what holds it (a service: systemctl disable --now NAME), or choose another with --port or --interface"

_PROC_NET = Path("/proc/net")


@dataclass(frozen=True)
class Port:
    """A port that a server of ours is to have, of an address or of every address of an interface."""

    protocol: Literal["tcp", "udp"]
    number: int
    place: IPv4Address | str

    def __str__(self) -> str:
        return f"{self.protocol.upper()} port {self.number} of {self.place}"


def check(ports: Iterable[Port]) -> None:
    """Raises UserError, which names every port that is not free and the process that holds it."""
    taken = [message for port in ports if (message := _problem(port))]
    if taken:
        raise UserError("\n".join(taken), hint=_HINT)


def listens(port: int, address: IPv4Address) -> bool:
    """Returns whether something accepts TCP connections there."""
    try:
        with socket.create_connection((str(address), port), timeout=1):
            return True
    except OSError:
        return False


def is_bound(protocol: Literal["tcp", "udp"], number: int) -> bool:
    """Returns whether some process has the port, on whatever address."""
    return bool(_inodes(protocol, number))


def _problem(port: Port) -> str | None:
    """Returns what keeps a server from the port; None when nothing does. Binds it and gives it back at once."""
    kind = socket.SOCK_STREAM if port.protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as probe:
        if port.protocol == "tcp":
            # a connection that has ended must not count; a second listener does
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            if isinstance(port.place, str):
                # another server may have the same port on another interface
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, port.place.encode())
            probe.bind(("" if isinstance(port.place, str) else str(port.place), port.number))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return f"{port}: {error.strerror}"
            holders = open_files.socket_holders(_inodes(port.protocol, port.number))
            return f"{port}: held by {', '.join(map(str, holders)) or 'a process of another user or container'}"
    return None


def _inodes(protocol: str, number: int) -> frozenset[int]:
    """Returns the inodes of the sockets that are bound to a port; of TCP, those that listen (proc(5), /proc/net)."""
    found = set()
    for name in (protocol, f"{protocol}6"):
        try:
            lines = (_PROC_NET / name).read_text(encoding="ascii").splitlines()[1:]
        except FileNotFoundError:
            # a kernel without IPv6
            continue
        for words in map(str.split, lines):
            local, state, inode = words[1], words[3], words[9]
            if int(local.rsplit(":", 1)[1], 16) == number and (protocol == "udp" or state == "0A"):
                found.add(int(inode))
    return frozenset(found)
