"""A rack's network in namespaces: a bridge, and what is plugged into it.

`rack` has the bridge, on which boot.serve serves; `site` another DHCP server; `node` a machine that is only an
interface. Nothing of it is seen by the host.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests import repository

BRIDGE, SERVER, NETWORK = "br0", "192.0.2.1", "192.0.2.0/24"
SITE, NODE = "192.0.2.2", "192.0.2.60"
# what each of the others calls its interface
PLUG = "eth0"

_CLONE_NEWNET = 0x40000000
_T = TypeVar("_T")


@dataclass(frozen=True)
class Lan:
    """The names of the namespaces."""

    rack: str
    site: str
    node: str

    def start(self, namespace: str, argv: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        """Starts a program in a namespace, with its output in a file."""
        with log.open("ab") as file:
            return subprocess.Popen(
                ["ip", "netns", "exec", namespace, *argv], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                cwd=repository.ROOT,
            )  # fmt: skip

    def get(self, path: str, port: int = 80, headers: Mapping[str, str] | None = None) -> tuple[int, str, bytes]:
        """Fetches a path from the server as the node; returns the status, the type, and the body."""
        connection = http.client.HTTPConnection(SERVER, port, timeout=20)
        connection.sock = inside(self.node, lambda: socket.create_connection((SERVER, port), timeout=20))
        connection.request("GET", path, headers=dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read()


def inside(namespace: str, action: Callable[[], _T]) -> _T:
    """Returns what an action returns in a namespace. A socket that it makes stays there."""
    results: list[_T] = []
    errors: list[BaseException] = []

    def act() -> None:
        try:
            # a thread has its own network namespace (setns(2))
            libc = ctypes.CDLL(None, use_errno=True)
            with Path("/run/netns", namespace).open("rb") as handle:
                if libc.setns(handle.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns", namespace)
            results.append(action())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=act)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


@contextlib.contextmanager
def lan() -> Iterator[Lan]:
    """Makes the network, and removes it at the end."""
    if os.geteuid() != 0:
        repository.skip_or_fail("the rack tier needs root, for networks of its own")
    made = Lan(*(f"alchemy-{name}-{os.getpid()}" for name in ("rack", "site", "node")))
    try:
        for name in vars(made).values():
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        inside_rack = ("-n", made.rack)
        _ip(*inside_rack, "link", "add", BRIDGE, "type", "bridge", "forward_delay", "0")
        _ip(*inside_rack, "address", "add", f"{SERVER}/24", "dev", BRIDGE)
        _ip(*inside_rack, "link", "set", BRIDGE, "up")
        for port, name, address in (("site", made.site, SITE), ("node", made.node, NODE)):
            _ip(*inside_rack, "link", "add", port, "type", "veth", "peer", "name", PLUG, "netns", name)
            _ip(*inside_rack, "link", "set", port, "master", BRIDGE, "up")
            _ip("-n", name, "address", "add", f"{address}/24", "dev", PLUG)
            _ip("-n", name, "link", "set", PLUG, "up")
        yield made
    finally:
        for name in vars(made).values():
            subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL, check=False)


@contextlib.contextmanager
def site_dhcp(network: Lan, folder: Path, first: str = "192.0.2.100", last: str = "192.0.2.150") -> Iterator[None]:
    """Runs the network's own DHCP server, which knows nothing of booting."""
    conf = folder / "site.conf"
    conf.write_text(
        f"port=0\ninterface={PLUG}\nbind-dynamic\nno-ping\ndhcp-range={first},{last},1h\n", encoding="utf-8"
    )
    argv = ["dnsmasq", "--keep-in-foreground", f"--conf-file={conf}", "--pid-file=", "--log-facility=-",
            f"--dhcp-leasefile={folder}/site.leases", "--user=root"]  # fmt: skip
    process = network.start(network.site, argv, folder / "site.log")
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def tap(network: Lan, name: str) -> Iterator[str]:
    """Adds a port for a virtual machine to the bridge, gives its name, and removes it at the end."""
    _ip("-n", network.rack, "tuntap", "add", "dev", name, "mode", "tap")
    try:
        _ip("-n", network.rack, "link", "set", name, "master", BRIDGE, "up")
        yield name
    finally:
        _ip("-n", network.rack, "link", "delete", name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], stdin=subprocess.DEVNULL, check=True)
