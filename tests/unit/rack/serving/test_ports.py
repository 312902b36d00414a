from __future__ import annotations

import os
import socket
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from alchemy.errors import UserError
from alchemy.rack.serving import leftovers, open_files, ports
from alchemy.rack.serving.ports import Port

LOOPBACK = IPv4Address("127.0.0.1")
OURSELVES = f"(process {os.getpid()})"


@pytest.mark.parametrize(("protocol", "kind"), [("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)])
def test_the_holder_of_a_port_is_named(protocol: str, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            holder.listen()
        number = holder.getsockname()[1]
        wanted = Port("tcp" if protocol == "tcp" else "udp", number, LOOPBACK)
        with pytest.raises(UserError) as caught:
            ports.check([wanted])
    assert caught.value.message.startswith(f"{protocol.upper()} port {number} of 127.0.0.1: held by ")
    assert OURSELVES in caught.value.message
    ports.check([wanted])


def test_all_ports_that_are_held_are_named_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        numbers = [server.getsockname()[1] for server in (one, two)]
        with pytest.raises(UserError) as caught:
            ports.check(Port("tcp", number, LOOPBACK) for number in numbers)
    assert [line.split()[2] for line in caught.value.message.splitlines()] == [str(number) for number in numbers]


def test_an_address_that_the_host_lacks_is_said() -> None:
    with pytest.raises(UserError, match=r"^TCP port 0 of 203.0.113.1: Cannot assign requested address\n"):
        ports.check([Port("tcp", 0, IPv4Address("203.0.113.1"))])


def test_a_connection_that_has_ended_holds_no_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address) as client:
            accepted, _ = server.accept()
            # who closes first waits (TIME_WAIT)
            accepted.close()
            assert client.recv(1) == b""
    ports.check([Port("tcp", address[1], LOOPBACK)])


def test_a_listener_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        assert ports.listens(number, LOOPBACK)
        assert ports.is_bound("tcp", number)
    assert not ports.listens(number, LOOPBACK)


@pytest.mark.parametrize(("mode", "writes"), [("rb", False), ("ab", True), ("r+b", True)])
def test_who_has_a_file_open_for_writing_is_found(tmp_path: Path, mode: str, writes: bool) -> None:
    path = tmp_path / "log"
    path.touch()
    with path.open(mode):
        assert (os.getpid() in {process.pid for process in open_files.writers(path)}) == writes


def test_what_has_no_log_open_is_left_alone_and_so_are_we(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("ab"):
        assert leftovers.end([path, tmp_path / "none"]) == []
