"""The keys of a machine: their forms, and what every machine says."""

from __future__ import annotations

import re

import pytest

from alchemy.rack.identity import MOST_MACS, Keys

UUID = "8d1c1f34-5c2b-4a55-9d0e-5a1c7f9b2e10"


def test_the_fields_of_a_post() -> None:
    fields = {"uuid": UUID.upper(), "serial": " S-1 ", "asset_tag": "T1", "macs": ["52-54-00-00-00-02", "525400000001"]}
    keys = Keys.parse(fields)
    assert keys == Keys(UUID, "S-1", "T1", ("52:54:00:00:00:01", "52:54:00:00:00:02"))


def test_the_fields_of_a_query() -> None:
    keys = Keys.parse({"uuid": "", "serial": "S-1", "asset": "T1", "mac": "5254.0000.0001"})
    assert keys == Keys(None, "S-1", "T1", ("52:54:00:00:00:01",))


@pytest.mark.parametrize(
    "uuid",
    [
        "00000000-0000-0000-0000-000000000000",
        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
        "fefefefe-fefe-fefe-fefe-fefefefefefe",
        "03000200-0400-0500-0006-000700080009",
        "00020003-0004-0005-0006-000700080009",
        "4C4C4544-0000-2010-8020-80C04F202020",
        "44454C4C-0000-1020-8020-80C04F202020",
        "00010203-0405-0607-0809-0A0B0C0D0E0F",
        "01020304-0506-0708-090A-0B0C0D0E0F10",
        "10000000-0000-8000-0040-000000000000",
        "12345678-1234-5678-90ab-cddeefaabbcc",
        "",
        None,
    ],
)
def test_a_uuid_of_every_machine_is_none(uuid: str | None) -> None:
    assert Keys.parse({"uuid": uuid, "serial": "S-1"}).uuid is None


@pytest.mark.parametrize(
    "serial",
    [
        "To Be Filled By O.E.M.",
        "Default string",
        "System Serial Number",
        "Base Board Serial Number",
        "Not Specified",
        "None",
        "N/A",
        "0",
        "0000000000",
        "xxxxxxx",
        "............",
        "0123456789",
        "123456789",
        "1234567890",
        "0123456789ABCDEF",
        "  ",
        None,
    ],
)
def test_a_serial_of_every_machine_is_none(serial: str | None) -> None:
    assert Keys.parse({"serial": serial, "mac": "52:54:00:00:00:01"}).serial is None


@pytest.mark.parametrize("serial", ["CN7016123456789", "12345", "0012", "SGH123456A", "1A1A1A1", "None-1"])
def test_a_serial_that_only_looks_like_one(serial: str) -> None:
    assert Keys.parse({"serial": serial}).serial == serial


@pytest.mark.parametrize(
    "address",
    [
        "00:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff",
        "01:00:5e:00:00:01",
        "be:3a:f2:b6:05:9f",
        "00:00:00:00",
        "80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:00:00:01",
        "",
    ],
)
def test_an_address_of_no_port_is_left_out(address: str) -> None:
    assert Keys.parse({"serial": "S-1", "macs": [address]}).macs == ()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "keys: missing (expected a serial, a uuid or a MAC that only this machine has)"),
        ({"asset_tag": "T1"}, "keys: missing (expected a serial, a uuid or a MAC that only this machine has)"),
        ({"serial": 7}, "serial: not text"),
        ({"serial": "S" * 129}, "serial: too long (expected at most 128 characters, got 129)"),
        ({"serial": "S\x1b[2J"}, "serial: has a control character"),
        ({"serial": "S\u202e1"}, "serial: has a control character"),
        ({"asset_tag": ["T"], "serial": "S-1"}, "asset_tag: not text"),
        ({"uuid": "8d1c1f34"}, "uuid: not a UUID (expected 32 hexadecimal digits)"),
        ({"uuid": "x" * 32}, "uuid: not a UUID (expected 32 hexadecimal digits)"),
        ({"macs": "52:54:00:00:00:01"}, "macs: not a list"),
        ({"macs": [7]}, "mac: not text"),
        ({"mac": "52:54:00-00:00:01"}, "mac: not a MAC (expected a form like aa:bb:cc:dd:ee:ff)"),
        ({"macs": ["52:54:00:00:00:01"] * (MOST_MACS + 1)}, "macs: too many (expected at most 1024, got 1025)"),
    ],
)
def test_what_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Keys.parse(fields)


A, B = "52:54:00:00:00:0a", "52:54:00:00:00:0b"


@pytest.mark.parametrize(
    ("said", "same"),
    [
        (Keys(UUID, "S-1", None, (A,)), True),
        (Keys(None, "S-1"), True),
        (Keys(UUID), True),
        (Keys(None, None, None, (A, B)), True),
        (Keys(UUID, "S-1", None, (B,)), True),  # the network card was replaced
        (Keys("other", "S-1", None, (A,)), True),  # the board was replaced
        (Keys(UUID, "S-2", None, (A,)), True),  # the serial was written again
        (Keys("other", "S-1", None, (B,)), False),  # two machines with one serial
        (Keys(UUID, "S-2", None, (B,)), False),  # two machines with one UUID
        (Keys("other", "S-2", None, (A,)), False),  # the network card came from another machine
        (Keys(None, "S-2", None, (A,)), False),
        (Keys("other", "S-1"), False),
        (Keys(None, None, None, (B,)), False),
    ],
)
def test_whether_it_is_the_same_machine(said: Keys, same: bool) -> None:
    known = Keys(UUID, "S-1", "T1", (A,))
    assert known.is_same_machine(said) is same
    assert said.is_same_machine(known) is same


def test_what_a_machine_says_replaces_what_was_known() -> None:
    known = Keys(UUID, "S-1", "T1", (A,))
    assert known.merged(Keys(None, "S-2", None, (B,))) == Keys(UUID, "S-2", "T1", (B,))
