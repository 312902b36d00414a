"""DHCP packets (RFC 2131, RFC 2132), as far as booting over a network needs them."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

SERVER_PORT, CLIENT_PORT = 67, 68

DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5

# options
REQUESTED_ADDRESS, MESSAGE_TYPE, SERVER_ID, PARAMETERS, VENDOR_CLASS = 50, 53, 54, 55, 60
TFTP_SERVER, BOOT_FILE, USER_CLASS, ARCHITECTURE, INTERFACE_TYPE, MACHINE_ID = 66, 67, 77, 93, 94, 97
VENDOR_OPTIONS, IPXE = 43, 175

_COOKIE = b"\x63\x82\x53\x63"
# op, htype, hlen, hops, xid, secs, flags, ciaddr, yiaddr, siaddr, giaddr, chaddr, sname, file
_HEADER = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")
_REQUEST_OP, _REPLY_OP, _ETHERNET, _BROADCAST = 1, 2, 1, 0x8000
_NONE = IPv4Address(0)


@dataclass(frozen=True)
class Reply:
    """What a server answers. `file` is the boot file, of the packet's own field or of option 67."""

    transaction: int
    your_address: IPv4Address
    next_server: IPv4Address
    file: str
    options: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def kind(self) -> int:
        """Returns the message type; 0 where there is none."""
        return (self.options.get(MESSAGE_TYPE) or b"\0")[0]

    @property
    def server(self) -> IPv4Address | None:
        """Returns the address by which the server names itself."""
        raw = self.options.get(SERVER_ID, b"")
        return IPv4Address(raw) if len(raw) == 4 else None


def request(
    kind: int, mac: bytes, transaction: int, options: Mapping[int, bytes], *, client: IPv4Address = _NONE
) -> bytes:
    """Returns a packet of a client, which asks for a broadcast as the answer."""
    nothing = _NONE.packed
    header = _HEADER.pack(
        _REQUEST_OP, _ETHERNET, len(mac), 0, transaction, 0, _BROADCAST, client.packed, nothing, nothing, nothing,
        mac, b"", b"",
    )  # fmt: skip
    said = {MESSAGE_TYPE: bytes([kind]), **options}
    return header + _COOKIE + b"".join(bytes([code, len(value)]) + value for code, value in said.items()) + b"\xff"


def parse(packet: bytes) -> Reply | None:
    """Returns the reply in a packet; None for anything else."""
    if len(packet) < _HEADER.size + len(_COOKIE) or packet[_HEADER.size : _HEADER.size + 4] != _COOKIE:
        return None
    op, _, _, _, transaction, _, _, _, yours, server, _, _, _, file = _HEADER.unpack_from(packet)
    if op != _REPLY_OP:
        return None
    options = _options(packet[_HEADER.size + 4 :])
    name = options.get(BOOT_FILE) or file
    text = name.split(b"\0", 1)[0].decode("ascii", errors="replace")
    return Reply(transaction, IPv4Address(yours), IPv4Address(server), text, options)


def client_socket(interface: str, port: int = CLIENT_PORT) -> socket.socket:
    """Returns a socket that speaks as a client on an interface. Raises OSError."""
    handle = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        handle.bind(("", port))
    except OSError:
        handle.close()
        raise
    return handle


def _options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        if at + 1 >= len(data):
            break
        length = data[at + 1]
        # an option in several parts is one (RFC 3396)
        found[data[at]] = found.get(data[at], b"") + data[at + 2 : at + 2 + length]
        at += 2 + length
    return found
