"""The words of network parameters: addresses, netmasks, names, and the fields of a value."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.lib.early import Node


def test_the_prefix_of_a_netmask(node: Node) -> None:
    masks = {
        "255.255.255.0": "24",
        "255.255.255.255": "32",
        "255.255.254.0": "23",
        "255.128.0.0": "9",
        "128.0.0.0": "1",
        "0.0.0.0": "0",
    }
    assert {mask: bits.strip() for mask, bits in node.each('prefix "$case"', list(masks)).items()} == masks


def test_what_is_no_netmask_has_no_prefix(node: Node) -> None:
    masks = ["255.0.255.0", "255.255.255.08", "255.255.255", "255.255.255.1", "256.0.0.0", "24", "", "255.255.255.0.0"]
    assert set(node.each('prefix "$case" || echo none', masks).values()) == {"none\n"}


WORDS: Mapping[str, tuple[list[str], list[str]]] = {
    "is_ipv4": (
        ["192.0.2.9", "0.0.0.0", "255.255.255.255"],
        [
            "",
            "192.0.2",
            "192.0.2.09",
            "192.0.2.256",
            "192.0.2.9.1",
            ".0.2.9",
            "192.0.2.",
            "a.b.c.d",
            "192.0.2.9\n",
            "1..2.3",
        ],
    ),
    "is_ipv6": (
        ["2001:db8::9", "::", "::1", "fe80::", "1:2:3:4:5:6:7:8", "2001:0DB8::1:0"],
        [
            "",
            ":",
            "9",
            "2001:db8:::9",
            "1::2::3",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "12345::",
            ":1::2",
            "1::2:",
            "g::",
        ],
    ),
    "is_server": (["192.0.2.9", "fe80::1%eth0"], ["fe80::1%", "fe80::1%a/b", "192.0.2.9%eth0", "192.0.2.9\nsearch x"]),
    "is_host_name": (
        ["node9", "9node", "a.b-c.d", "a" * 63, f"{'a' * 32}.{'b' * 31}"],
        [
            "",
            "-a",
            "a-",
            "a..b",
            ".a",
            "a.",
            "no_de",
            "a b",
            "a\nb",
            "a" * 64,
            f"{'a' * 33}.{'b' * 31}",
            "a.-b",
            "a-.b",
        ],
    ),
    "is_mtu": (["576", "1500", "9000", "65535"], ["", "575", "68", "65536", "01500", "1500 ", "999999", "-1", "0x600"]),
    "is_mac": (
        ["52:54:00:12:34:56", "52-54-00-AB-CD-56"],
        ["", "52:54:00:12:34", "52:54:00:12:34:5g", "52:54-00:12:34:56", "525400123456"],
    ),
    "is_interface_name": (["eth0", "bond0.20", "a" * 15], ["", ".", "..", "a/b", "a b", "a*", "a" * 16]),
}


@pytest.mark.parametrize("test", WORDS)
def test_words_are_what_their_formats_say(node: Node, test: str) -> None:
    right, wrong = WORDS[test]
    found = node.each(f'if {test} "$case"; then echo yes; fi', [*right, *wrong])
    assert [word for word, answer in found.items() if answer] == right


def test_the_fields_of_a_spec(node: Node) -> None:
    specs = {
        "[2001:db8::9]::[2001:db8::1]:64:node9:eth0:none": "2001:db8::9||2001:db8::1|64|node9|eth0|none|",
        "[2001:db8::9]/64:x": "2001:db8::9/64|x|",
        "dhcp": "dhcp|",
        "a::": "a|||",
        "[2001:db8": "[2001|db8|",
    }
    script = 'rest=$case:; while [ -n "$rest" ]; do take_field; printf \'%s|\' "$field"; done'
    assert node.each(script, list(specs)) == specs


def test_the_mac_of_the_interface_the_node_booted_from(node: Node) -> None:
    macs = {
        "01-52-54-00-AB-cd-56": "52:54:00:ab:cd:56",
        "52-54-00-12-34-56": "52:54:00:12:34:56",
        "52:54:00:12:34:56": "52:54:00:12:34:56",
        "01:52:54:00:12:34:56": "52:54:00:12:34:56",
        "20-52-54-00-12-34-56": "52:54:00:12:34:56",
        "525400ABCD56": "52:54:00:ab:cd:56",
        "01-52-54-00": "",
        "${netX/mac:hexhyp}": "",
        "eth0": "",
        "": "",
    }
    found = node.each("p_BOOTIF=$case; boot_mac", list(macs))
    assert {value: mac.strip() for value, mac in found.items()} == macs
