"""What the rack service hears of the preliminary init: early/report.sh."""

from __future__ import annotations

import json

import pytest

from alchemy.rack.identity import Keys
from tests.lib.early import TABLE, Node

CHROOT = """
chroot() { printf '%s\\n' "$*" >"$ROOT/argv"; cat >"$ROOT/body"; }
"""


def report(node: Node, url: str) -> None:
    node.write("proc/sys/kernel/random/boot_id", "0b5b6d54-87c9-4f4e-a3f7-8d8bb0a9ab4f\n")
    node.run(f"{CHROOT} p_rack_url=$1; report_init; wait", url)


def test_it_says_which_machine_this_is(node: Node) -> None:
    node.write("sys/class/dmi/id/product_uuid", "4c4c4544-0031-3110-8052-b4c04f564432\n")
    node.write("sys/class/dmi/id/product_serial", " SN 0001 \n")
    node.write("sys/class/net/eth0/address", "52:54:00:00:00:01\n")
    node.write("sys/class/net/eth1/address", "52:54:00:00:00:02\n")
    node.write("sys/class/net/lo/address", "00:00:00:00:00:00\n")
    report(node, "http://192.0.2.1/")
    said = json.loads(node.read("body"))
    assert said == {
        "stage": "init",
        "boot_id": "0b5b6d54-87c9-4f4e-a3f7-8d8bb0a9ab4f",
        "uuid": "4c4c4544-0031-3110-8052-b4c04f564432",
        "serial": " SN 0001 ",
        "macs": ["52:54:00:00:00:01", "52:54:00:00:00:02"],
    }
    assert Keys.parse(said).serial == "SN 0001"
    words = node.read("argv").split()
    assert words[:2] == [f"{node.root}/new", "curl"]
    assert words[-1] == "http://192.0.2.1/v1/boots"
    assert "--insecure" not in words
    assert node.said == []


@pytest.mark.parametrize(
    "serial", ["", "\n", 'a","x":"b\n', "a\\\n", "\x1b[2J\n", "a\tb\n", "x" * 129 + "\n", "ö\n", "\nsecond\n"]
)
def test_what_is_no_string_of_json_is_left_out(node: Node, serial: str) -> None:
    node.write("sys/class/dmi/id/product_serial", serial)
    node.write("sys/class/net/eth0/address", 'aa","bb\n')
    report(node, "https://192.0.2.1")
    said = json.loads(node.read("body"))
    assert (said["serial"], said["uuid"], said["macs"]) == ("", "", [])


def test_a_file_without_an_end_of_line_counts(node: Node) -> None:
    node.write("sys/class/dmi/id/product_serial", "SN-0001")
    report(node, "HTTP://192.0.2.1:8080")
    assert json.loads(node.read("body"))["serial"] == "SN-0001"
    assert node.read("argv").endswith(" HTTP://192.0.2.1:8080/v1/boots\n")


@pytest.mark.parametrize("url", ["", "http://", "ftp://192.0.2.1", "-o/etc/passwd", "192.0.2.1"])
def test_what_is_no_url_is_left_to_the_system_to_complain_of(node: Node, url: str) -> None:
    report(node, url)
    assert not (node.root / "body").exists()


def test_nobody_waits_for_it(node: Node) -> None:
    """A service that never answers: the function has ended before the call has."""
    script = """
    mkfifo "$ROOT/hold"
    chroot() { cat >/dev/null; read -r _ <"$ROOT/hold"; echo late >>"$ROOT/order"; }
    p_rack_url=http://192.0.2.1
    report_init
    echo first >>"$ROOT/order"
    echo >"$ROOT/hold"
    wait
    """
    node.run(script)
    assert node.lines("order") == ["first", "late"]


def test_what_fails_is_in_a_log_and_on_no_console(node: Node) -> None:
    node.run("chroot() { echo 'curl: (7) refused' >&2; return 7; }; p_rack_url=http://h; report_init; wait")
    assert node.read("run/alchemy/report.log") == "curl: (7) refused\n"
    assert node.said == []


def test_rack_url_brings_up_the_network(node: Node) -> None:
    script = f'parse_cmdline "{TABLE}" "rack_url=http://192.0.2.1"; settle_parameters; echo "$p_net"'
    assert node.run(script) == "yes\n"
