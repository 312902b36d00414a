"""A network of our own for a guest: a namespace with a tap, and a DHCP server that says exactly what it is told.

Run as a program inside the namespace it is the DHCP server (RFC 2131), as far as a guest without a lease needs one:
every option is given as bytes, so that it may be one that no real server would send.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests import repository

TAP = "tap0"
_COOKIE = b"\x63\x82\x53\x63"
_DISCOVER, _OFFER, _REQUEST, _ACK = 1, 2, 3, 5


@dataclass(frozen=True)
class Lease:
    """What the server answers: the client's address, its own, the options by their numbers, in hexadecimal digits; and
    the seconds from a client's first packet in which it, or the switch's port, is silent."""

    ip: str
    server: str
    options: Mapping[str, str] = field(default_factory=dict)
    silent: float = 0


def answer(lease: Lease, request: bytes) -> bytes | None:
    """The reply to a packet of a client; None when there is none."""
    if len(request) < 241 or request[0] != 1 or request[236:240] != _COOKIE:
        return None
    given = options(request[240:])
    kind = given.get(53, b"")[:1]
    if kind not in (bytes([_DISCOVER]), bytes([_REQUEST])):
        return None
    reply = bytearray(request[:236])
    reply[0] = 2
    reply[16:20] = socket.inet_aton(lease.ip)
    reply[20:24] = socket.inet_aton(lease.server)
    said = {
        53: bytes([_OFFER if kind[0] == _DISCOVER else _ACK]),
        54: socket.inet_aton(lease.server),
        **{int(number): bytes.fromhex(value) for number, value in lease.options.items()},
    }
    body = b"".join(bytes([number, len(value)]) + value for number, value in said.items())
    return bytes(reply) + _COOKIE + body + b"\xff"


def options(data: bytes) -> dict[int, bytes]:
    """The options of a packet, by number."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 1 < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        found[data[at]] = data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + data[at + 1]
    return found


def serve(lease: Lease) -> None:
    """Answers on the tap until it is ended; a line for each packet, with the client's host name (option 12)."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, TAP.encode())
    server.bind(("0.0.0.0", 67))
    first = 0.0
    while True:
        request = server.recv(2048)
        first = first or time.monotonic()
        reply = answer(lease, request)
        name = options(request[240:]).get(12, b"").decode("ascii", "replace")
        if reply is None or time.monotonic() < first + lease.silent:
            print(f"silent {name}", flush=True)
            continue
        print(f"answered {name}", flush=True)
        server.sendto(reply, ("255.255.255.255", 68))


@dataclass(frozen=True)
class Network:
    """A namespace. `prefix` before a command runs it there; `device` are QEMU's options for an interface on the tap."""

    name: str
    log: Path

    @property
    def prefix(self) -> Sequence[str]:
        return ("ip", "netns", "exec", self.name)

    def device(self, mac: str = "52:54:00:12:34:56") -> list[str]:
        return [
            "-netdev", f"tap,id=lan,ifname={TAP},script=no,downscript=no",
            "-device", f"virtio-net-pci,netdev=lan,mac={mac},romfile=",
        ]  # fmt: skip


@contextlib.contextmanager
def network(
    folder: Path, addresses: Sequence[str], routes: Sequence[str] = (), lease: Lease | None = None,
    dnsmasq: str = "", web: Path | None = None,
) -> Iterator[Network]:  # fmt: skip
    """A namespace whose tap has these addresses and routes, and all of which goes at the end.

    As far as they are wanted it has the DHCP server of `lease`, dnsmasq with these lines, and a web server on port 8000
    for the files of a folder.
    """
    if os.geteuid() != 0:
        repository.skip_or_fail("a network of its own needs root")
    if dnsmasq and shutil.which("dnsmasq") is None:
        repository.skip_or_fail("the test needs dnsmasq")
    lan = Network(f"alchemy-{os.getpid()}", folder / "dhcp.log")
    _ip("netns", "add", lan.name)
    running: list[subprocess.Popen[bytes]] = []

    def start(*argv: str) -> None:
        with lan.log.open("ab") as log:
            running.append(subprocess.Popen([*lan.prefix, *argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=repository.ROOT))  # fmt: skip

    try:
        inside = ("-n", lan.name)
        _ip(*inside, "link", "set", "lo", "up")
        _ip(*inside, "tuntap", "add", "dev", TAP, "mode", "tap")
        _ip(*inside, "link", "set", TAP, "up")
        for address in addresses:
            _ip(*inside, "address", "add", address, "dev", TAP, *(["nodad"] if ":" in address else []))
        for route in routes:
            _ip(*inside, "route", "add", *route.split(), "dev", TAP)
        if lease is not None:
            start(sys.executable, "-m", "tests.boot.dhcp", json.dumps(lease.__dict__))
        if dnsmasq:
            (folder / "dnsmasq.conf").write_text(f"interface={TAP}\n{dnsmasq}\n", encoding="utf-8")
            start("dnsmasq", "--keep-in-foreground", f"--conf-file={folder}/dnsmasq.conf", "--pid-file=",
                  f"--dhcp-leasefile={folder}/leases", "--log-facility=-", "--user=root")  # fmt: skip
        if web is not None:
            start(sys.executable, "-m", "http.server", "--bind", "::", "--directory", str(web), "8000")
        yield lan
    finally:
        for process in running:
            process.kill()
            process.wait()
        _ip("netns", "delete", lan.name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], stdin=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    serve(Lease(**json.loads(sys.argv[1])))
