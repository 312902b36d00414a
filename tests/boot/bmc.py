"""A BMC beside QEMU (ipmi-bmc-extern) that answers until it is told to hang.

Source of the protocol: README.vm of OpenIPMI's lanserv; of the messages: IPMI 2.0.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

# the end of a message, that of a command of the protocol itself, and what a byte is behind that stands for itself
_MESSAGE, _COMMAND, _ESCAPE = 0xA0, 0xA1, 0xAA
_INVALID_COMMAND = b"\xc1"
# (network function, command) → completion code 0 and data; any other command is one that this BMC does not know
_ANSWERS = {
    # Get Device ID: version 2.0, with a SEL
    (0x06, 0x01): bytes.fromhex("00 20 01 01 00 02 04 000000 0000"),
    # Get SEL Info: version 51h, no entries, 4 KB free
    (0x0A, 0x40): bytes.fromhex("00 51 0000 0010 00000000 00000000 00"),
}


class Bmc:
    """The BMC. QEMU listens at `path`: it does not accept a BMC that listens before its machine starts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hangs = threading.Event()
        self._over = threading.Event()

    @property
    def options(self) -> list[str]:
        """QEMU's options for it."""
        chardev = ["-chardev", f"socket,id=bmc-line,path={self._path},server=on,wait=off"]
        return [*chardev, "-device", "ipmi-bmc-extern,id=bmc,chardev=bmc-line", "-device", "isa-ipmi-kcs,bmc=bmc"]

    def hang(self) -> None:
        """Has it answer nothing from now on."""
        self._hangs.set()

    def end(self) -> None:
        """Has it no longer wait for QEMU."""
        self._over.set()

    def serve(self) -> None:
        """Waits for QEMU, and answers it until that ends."""
        with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(ConnectionError):
            while connection.connect_ex(str(self._path)) != 0:
                if self._over.wait(0.1):
                    return
            message = bytearray()
            escaped = False
            while chunk := connection.recv(4096):
                for byte in chunk:
                    if byte == _MESSAGE:
                        self._answer(connection, bytes(message))
                    if byte in (_MESSAGE, _COMMAND):
                        message.clear()
                    elif byte != _ESCAPE:
                        message.append(byte & ~0x10 if escaped else byte)
                    escaped = byte == _ESCAPE

    def _answer(self, connection: socket.socket, message: bytes) -> None:
        """Answers a message: its number, network function and LUN, command, data, checksum."""
        number, function, command = message[:3]
        if self._hangs.is_set():
            return
        data = _ANSWERS.get((function >> 2, command), _INVALID_COMMAND)
        answer = bytes([number, function | 4, command]) + data
        answer += bytes([-sum(answer) & 0xFF])
        stuffed = b"".join(
            bytes([_ESCAPE, byte | 0x10]) if byte in (_MESSAGE, _COMMAND, _ESCAPE) else bytes([byte]) for byte in answer
        )
        connection.sendall(stuffed + bytes([_MESSAGE]))


@contextlib.contextmanager
def running(path: Path) -> Iterator[Bmc]:
    """Runs a BMC; QEMU has to end before it is left."""
    bmc = Bmc(path)
    thread = threading.Thread(target=bmc.serve, daemon=True)
    thread.start()
    try:
        yield bmc
    finally:
        bmc.end()
        thread.join()
