from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemy.rack.serving import dhcp

MAC = bytes.fromhex("525400123456")


def reply(options: bytes, file: bytes = b"") -> bytes:
    """A server's packet: that of a client with another operation, addresses and options."""
    packet = bytearray(dhcp.request(dhcp.DISCOVER, MAC, 7, {})[:240])
    packet[0] = 2
    packet[16:20] = IPv4Address("192.0.2.50").packed
    packet[20:24] = IPv4Address("192.0.2.1").packed
    packet[108 : 108 + len(file)] = file
    return bytes(packet) + options


def test_a_request_asks_for_a_broadcast_and_holds_the_options() -> None:
    packet = dhcp.request(dhcp.DISCOVER, MAC, 0x01020304, {93: b"\0\7"})
    assert packet[:12] == bytes.fromhex("0101060001020304") + b"\0\0\x80\0"
    assert packet[28:34] == MAC
    assert packet[236:] == bytes.fromhex("638253633501015d020007ff")


def test_a_reply_is_read() -> None:
    found = dhcp.parse(reply(b"\0\x35\x01\x02\x36\x04\xc0\0\x02\x01\xff", b"undionly.kpxe"))
    assert found is not None
    assert (found.kind, found.transaction, found.file) == (dhcp.OFFER, 7, "undionly.kpxe")
    assert (found.your_address, found.next_server) == (IPv4Address("192.0.2.50"), IPv4Address("192.0.2.1"))
    assert found.server == IPv4Address("192.0.2.1")


def test_an_option_in_two_parts_is_one_and_option_67_replaces_the_field() -> None:
    found = dhcp.parse(reply(b"\x43\x02ab\x43\x02cd\xff", b"other"))
    assert found is not None
    assert found.file == "abcd"


@pytest.mark.parametrize("packet", [b"", bytes(300), dhcp.request(dhcp.DISCOVER, MAC, 1, {})])
def test_what_is_no_reply_is_none(packet: bytes) -> None:
    assert dhcp.parse(packet) is None


@given(st.binary(max_size=64))
def test_any_options_are_read_without_an_error(options: bytes) -> None:
    found = dhcp.parse(reply(options))
    assert found is not None
    assert found.server is None or isinstance(found.server, IPv4Address)
