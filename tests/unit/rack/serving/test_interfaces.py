from __future__ import annotations

from ipaddress import IPv4Interface

import pytest

from alchemy.errors import UserError
from alchemy.rack.serving import interfaces
from alchemy.rack.serving.interfaces import Interface

_UP, _LOOPBACK = 0x1, 0x8


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, str | None]]:
    """The interfaces of a host, by name: their flags and their address."""
    made: dict[str, tuple[int, str | None]] = {"lo": (_UP | _LOOPBACK, "127.0.0.1/8")}

    def read(name: str) -> Interface | None:
        flags, address = made[name]
        return Interface(name, IPv4Interface(address)) if flags & _UP and address else None

    monkeypatch.setattr(interfaces, "_names", lambda: list(made))
    monkeypatch.setattr(interfaces, "_flags", lambda name: made[name][0])
    monkeypatch.setattr(interfaces, "_read", read)
    return made


def test_the_only_interface_with_an_address_is_chosen(host: dict[str, tuple[int, str | None]]) -> None:
    host.update(eth0=(_UP, "192.0.2.1/24"), eth1=(0, "192.0.2.9/24"), eth2=(_UP, None))
    assert interfaces.choose(None) == Interface("eth0", IPv4Interface("192.0.2.1/24"))


def test_of_several_one_has_to_be_named(host: dict[str, tuple[int, str | None]]) -> None:
    host.update(eth0=(_UP, "192.0.2.1/24"), eth1=(_UP, "198.51.100.1/24"))
    with pytest.raises(UserError) as caught:
        interfaces.choose(None)
    listed = "eth0 (192.0.2.1/24), eth1 (198.51.100.1/24)"
    assert caught.value.message == f"--interface: missing (expected one of {listed})"
    assert interfaces.choose("eth1").name == "eth1"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (None, "--interface: no interface is up with an IPv4 address"),
        ("eth9", "--interface: unknown interface (expected one of lo, eth0, eth1, got 'eth9')"),
        ("eth0\nuser=root", "--interface: unknown interface (expected one of lo, eth0, eth1, got 'eth0\\nuser=root')"),
        ("eth0", "eth0: the interface is down"),
        ("eth1", "eth1: no IPv4 address"),
    ],
)
def test_an_interface_that_cannot_serve_is_refused(
    host: dict[str, tuple[int, str | None]], name: str | None, message: str
) -> None:
    host.update(eth0=(0, "192.0.2.1/24"), eth1=(_UP, None))
    with pytest.raises(UserError) as caught:
        interfaces.choose(name)
    assert caught.value.message == message


def test_the_loopback_can_be_named(host: dict[str, tuple[int, str | None]]) -> None:
    assert interfaces.choose("lo").ip.is_loopback


def test_the_kernel_is_asked() -> None:
    assert interfaces.choose("lo").address == IPv4Interface("127.0.0.1/8")
    assert interfaces.hardware_address("lo") == bytes(6)
