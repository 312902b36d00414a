"""LLDP frames (IEEE 802.1AB, clause 9) as a switch sends them, to a port of a guest."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

_DESTINATION = bytes.fromhex("0180c200000e")
SWITCH = bytes.fromhex("020000000001")
PORT = b"Ethernet1/7"

# organizationally specific TLVs: IEEE 802.1 (annex D) and LLDP-MED (ANSI/TIA-1057)
_IEEE_8021 = bytes.fromhex("0080c2")
_MED = bytes.fromhex("0012bb")
PVID = (127, _IEEE_8021 + b"\1" + struct.pack("!H", 100))
VLAN_NAME = (127, _IEEE_8021 + b"\3" + struct.pack("!HB", 100, 4) + b"rack")
MED_CAPABILITIES = (127, _MED + b"\1" + struct.pack("!HB", 3, 4))
# voice, tagged, VLAN 200
MED_POLICY = (127, _MED + b"\2" + struct.pack("!I", 1 << 24 | 1 << 22 | 200 << 9))

MINIMAL = ((1, b"\4" + SWITCH), (2, b"\5" + PORT), (3, struct.pack("!H", 120)))
COMPLETE = (*MINIMAL, (4, b"to rack 7"), (5, b"switch7"), (6, b"a switch"))


def frame(tlvs: tuple[tuple[int, bytes], ...]) -> bytes:
    """Returns the Ethernet frame with these TLVs, each a type and a value."""
    units = (struct.pack("!H", kind << 9 | len(value)) + value for kind, value in (*tlvs, (0, b"")))
    return (_DESTINATION + SWITCH + b"\x88\xcc" + b"".join(units)).ljust(60, b"\0")


class Switch:
    """Sends `frame` each second to the UDP port on which QEMU takes Ethernet frames; nothing while it is empty."""

    def __init__(self, port: int) -> None:
        self.frame = b""
        self.port = port
        self._over = threading.Event()

    def send(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not self._over.wait(1):
                if self.frame:
                    sender.sendto(self.frame, ("127.0.0.1", self.port))

    def end(self) -> None:
        self._over.set()


@contextlib.contextmanager
def switch(port: int) -> Iterator[Switch]:
    """Runs a switch behind a port of a guest."""
    sender = Switch(port)
    thread = threading.Thread(target=sender.send, daemon=True)
    thread.start()
    try:
        yield sender
    finally:
        sender.end()
        thread.join()
