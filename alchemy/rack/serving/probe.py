"""Looks for other servers on the network: its own DHCP server, and another that tells nodes what to boot."""

from __future__ import annotations

import secrets
import struct
import time
from dataclasses import dataclass
from ipaddress import IPv4Address

from alchemy.rack.serving import dhcp
from alchemy.rack.serving.interfaces import Interface, hardware_address

# dnsmasq tries for 3 seconds whether an address that it wants to give out is in use
SECONDS = 4.0

# what only boot.serve answers to iPXE
_OURS = "/boot.ipxe"
# UEFI HTTP boot on x86-64: the answer comes at once, and not from a second port
_ARCHITECTURE = 16


@dataclass(frozen=True)
class Server:
    """A server that answered. `gives_addresses`: a DHCP server; `boots`: it sends a boot file, `file`."""

    address: IPv4Address
    gives_addresses: bool
    file: str

    @property
    def boots(self) -> bool:
        """Returns whether it tells nodes what to boot."""
        return bool(self.file)

    @property
    def is_ours(self) -> bool:
        """Returns whether it is a boot.serve."""
        return self.file.startswith("http://") and self.file.endswith(_OURS)


def others(interface: Interface, seconds: float = SECONDS) -> list[Server]:
    """Asks as a node would, and returns the servers that answer, each once. Raises OSError when it cannot ask."""
    transaction = secrets.randbits(32)
    options = {
        dhcp.PARAMETERS: bytes([1, 3, 6, dhcp.VENDOR_CLASS, dhcp.TFTP_SERVER, dhcp.BOOT_FILE]),
        dhcp.VENDOR_CLASS: b"HTTPClient:Arch:00016:UNDI:003001",
        dhcp.USER_CLASS: b"iPXE",
        dhcp.ARCHITECTURE: struct.pack("!H", _ARCHITECTURE),
        dhcp.INTERFACE_TYPE: b"\x01\x03\x01",
    }
    question = dhcp.request(dhcp.DISCOVER, hardware_address(interface.name), transaction, options)
    found: dict[Server, None] = {}
    with dhcp.client_socket(interface.name) as client:
        client.sendto(question, ("255.255.255.255", dhcp.SERVER_PORT))
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            client.settimeout(left)
            try:
                reply = dhcp.parse(client.recv(4096))
            except TimeoutError:
                break
            if reply is not None and reply.transaction == transaction and reply.kind == dhcp.OFFER and reply.server:
                found[Server(reply.server, int(reply.your_address) != 0, reply.file)] = None
    return list(found)
