"""Firmware as far as DHCP and TFTP see it: crafted packets, sent by the node of a rack's network."""

from __future__ import annotations

import secrets
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from alchemy.rack.serving import dhcp
from alchemy.rack.serving.dhcp import Reply
from tests.rack.lan import NODE, PLUG, SERVER, Lan, inside

PROXY_PORT = 4011
# PXE's vendor options (Intel's Preboot Execution Environment 2.1): the menu of a server, and the entry that is chosen
_MENU, _ITEM = 9, 71

URL = f"http://{SERVER}"
SCRIPT = f"{URL}/boot.ipxe"
UNDI = "PXEClient:Arch:00000:UNDI:002001"

# vendor class, architecture, what its ROM gets, what iPXE on it gets
ROWS = {
    "BIOS": (UNDI, 0, "undionly.kpxe"),
    "UEFI x86-64": ("PXEClient:Arch:00007:UNDI:003016", 7, "x64/snponly.efi"),
    "UEFI x86-64 that calls itself EBC": ("PXEClient:Arch:00009:UNDI:003016", 9, "x64/snponly.efi"),
    "UEFI arm64": ("PXEClient:Arch:00011:UNDI:003016", 11, "arm64/snponly.efi"),
    "UEFI arm64 of a TaiShan server": ("HW-Client:Arch:00011:UNDI:003016", 11, "arm64/snponly.efi"),
    "UEFI x86-64 by HTTP": ("HTTPClient:Arch:00016:UNDI:003016", 16, f"{URL}/ipxe/x64/snponly.efi"),
    "UEFI arm64 by HTTP": ("HTTPClient:Arch:00019:UNDI:003016", 19, f"{URL}/ipxe/arm64/snponly.efi"),
}


@dataclass(frozen=True)
class Firmware:
    """What a client says: its vendor class (option 60), its architecture (93), and whether it is iPXE (77, 175)."""

    vendor_class: str
    architecture: int | None
    ipxe: bool = False

    def options(self) -> Mapping[int, bytes]:
        """The options of its packets."""
        wanted = [1, 3, 6, dhcp.VENDOR_OPTIONS, dhcp.VENDOR_CLASS, dhcp.TFTP_SERVER, dhcp.BOOT_FILE]
        said = {dhcp.PARAMETERS: bytes(wanted)}
        if self.vendor_class:
            said[dhcp.VENDOR_CLASS] = self.vendor_class.encode()
        if self.architecture is not None:
            said[dhcp.ARCHITECTURE] = struct.pack("!H", self.architecture)
            said[dhcp.INTERFACE_TYPE] = b"\x01\x03\x01"
            said[dhcp.MACHINE_ID] = b"\0" + bytes(range(16))
        if self.ipxe:
            said[dhcp.USER_CLASS] = b"iPXE"
            said[dhcp.IPXE] = bytes.fromhex("b1010113010122010101ff")
        return said


def discover(network: Lan, firmware: Firmware, seconds: float) -> list[Reply]:
    """The offers that come within some seconds; those of one packet only."""
    return _ask(network, firmware, dhcp.DISCOVER, dhcp.SERVER_PORT, dhcp.CLIENT_PORT, seconds)


def ask_proxy(network: Lan, firmware: Firmware, offer: Reply, seconds: float) -> list[Reply]:
    """The answers of port 4011, which a client asks when it has an address, about the first entry of an offer's menu if
    it has one."""
    menu = _suboptions(offer.options.get(dhcp.VENDOR_OPTIONS, b"")).get(_MENU)
    # the type of the entry, and its first layer
    chosen = {dhcp.VENDOR_OPTIONS: bytes([_ITEM, 4]) + menu[:2] + b"\0\0\xff"} if menu else {}
    return _ask(network, firmware, dhcp.REQUEST, PROXY_PORT, PROXY_PORT, seconds, chosen)


def _suboptions(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) > 1 and data[0] != 255:
        found[data[0]] = data[2 : 2 + data[1]]
        data = data[2 + data[1] :]
    return found


def _ask(
    network: Lan,
    firmware: Firmware,
    kind: int,
    to: int,
    at: int,
    seconds: float,
    more: Mapping[int, bytes] | None = None,
) -> list[Reply]:
    transaction = secrets.randbits(32)
    mac = bytes.fromhex("525400") + secrets.token_bytes(3)
    proxied = to == PROXY_PORT
    packet = dhcp.request(
        kind,
        mac,
        transaction,
        {**firmware.options(), **(more or {})},
        client=IPv4Address(NODE) if proxied else IPv4Address(0),
    )
    replies = []
    with inside(network.node, lambda: dhcp.client_socket(PLUG, at)) as client:
        client.settimeout(seconds)
        client.sendto(packet, (SERVER if proxied else "255.255.255.255", to))
        try:
            while True:
                reply = dhcp.parse(client.recv(4096))
                if reply is not None and reply.transaction == transaction:
                    replies.append(reply)
                    # what else comes, comes soon
                    client.settimeout(1)
        except TimeoutError:
            return replies


def tftp(network: Lan, name: str) -> bytes | None:
    """A file of the server by TFTP (RFC 1350); None when the server refuses it."""
    content = b""
    with inside(network.node, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
        client.settimeout(20)
        client.sendto(b"\0\1" + name.encode() + b"\0octet\0", (SERVER, 69))
        while True:
            packet, sender = client.recvfrom(2048)
            if packet[:2] == b"\0\5":
                return None
            client.sendto(b"\0\4" + packet[2:4], sender)
            content += packet[4:]
            if len(packet) < 516:
                return content
