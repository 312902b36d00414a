"""Nodes that find each other on a link, and what their exchange proves."""

from __future__ import annotations

import itertools
import json

import pytest

from alchemy_node.burnin.activity import OUT_OF_MEMORY
from alchemy_node.burnin.pairing import Partner, Peers
from alchemy_node.burnin.parts import Part
from alchemy_node.burnin.steps import network
from alchemy_node.processes import Output
from tests.unit.node.burnin.drive import said

NIC = Part("NIC eth0", "52:54:00:00:00:01", "nic-eth0")


def talk(peers: list[Peers], turns: int) -> dict[str, Partner]:
    """Has the nodes of a link hear each other; returns each one's partner."""
    found: dict[str, Partner] = {}
    for _ in range(turns):
        for sender, receiver in itertools.permutations(peers, 2):
            receiver.hear(sender.beacon(), f"fe80::{sender.own}")
        for peer in peers:
            partner = peer.choose()
            if partner is not None:
                found[peer.own] = partner
    return found


@pytest.mark.parametrize("count", [2, 3, 4, 5, 8, 9])
def test_nodes_pair_up(count: int) -> None:
    peers = [Peers(f"{number:016x}") for number in range(count)]
    found = talk(peers, 40)
    assert len(found) == count - count % 2
    for own, partner in found.items():
        other = partner.address.removeprefix("fe80::")
        assert found[other] == Partner(f"fe80::{own}", other < own)
        assert partner.serves == (own < other)


def test_a_node_by_itself_has_no_partner() -> None:
    assert talk([Peers("0" * 16)], 5) == {}


def test_a_node_that_went_away_is_forgotten() -> None:
    left, gone = Peers("0" * 16), Peers("1" * 16)
    left.hear(gone.beacon(), "fe80::1")
    for _ in range(20):
        left.choose()
    assert (left.heard, left.wants) == ({}, "")


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff", b"[]", b"null", b"{}", b"[" * 1000,
        b'{"alchemy-burnin": 2, "id": "1111111111111111", "wants": ""}',
        b'{"alchemy-burnin": 1, "id": 7, "wants": ""}',
        b'{"alchemy-burnin": 1, "id": "x; reboot", "wants": ""}',
        b'{"alchemy-burnin": 1, "id": "1111111111111111", "wants": 7}',
        b'{"alchemy-burnin": 1, "id": "0000000000000000", "wants": ""}',
    ],
)  # fmt: skip
def test_a_beacon_that_is_none(data: bytes) -> None:
    peers = Peers("0" * 16)
    peers.hear(data, "fe80::1")
    assert peers.heard == {}


def test_a_flood_of_beacons_is_bounded() -> None:
    peers = Peers("0" * 16)
    for number in range(10_000):
        peers.hear(json.dumps({"alchemy-burnin": 1, "id": f"{number + 1:016x}", "wants": ""}).encode(), "fe80::1")
    assert len(peers.heard) == 256


def result(received: object, sent: object = 0) -> str:
    sums = {"sum_sent": {"bits_per_second": sent}, "sum_received": {"bits_per_second": received}}
    return json.dumps({"start": {}, "end": sums})


@pytest.mark.parametrize(
    ("output", "speed", "kinds"),
    [
        (said(result(9.4e9)), 10000, ["PASS"]),
        (said(result(9.4e9)), 0, ["PASS"]),
        (said(result(5e9)), 10000, ["PASS", "UNKNOWN"]),
        (said(result(5e9)), 0, ["PASS"]),
        # a server that sends
        (said(result(0, 9.4e9)), 10000, ["PASS"]),
        (said(result(0)), 0, ["ERROR"]),
        (said(result(9e9, "x")), 0, ["ERROR"]),
        (said(json.dumps({"end": {}})), 0, ["ERROR"]),
        (said(result("fast")), 0, ["ERROR"]),
        (said(result(True)), 0, ["ERROR"]),
        (said(result(1e300)), 0, ["ERROR"]),
        (said(json.dumps({"error": "unable to connect to server"}), 1), 0, ["ERROR"]),
        (said(result(9.4e9), 1), 0, ["ERROR"]),
        (said(""), 0, ["ERROR"]),
        (said("[" * 100_000), 0, ["ERROR"]),
        (Output(problem="timed out after 90 s"), 0, ["ERROR"]),
        (Output(problem=OUT_OF_MEMORY), 0, ["ERROR"]),
    ],
)
def test_what_an_exchange_proves(output: Output, speed: int, kinds: list[str]) -> None:
    outcome = network.judge("sending", NIC, output, speed)
    assert [finding.kind.name for finding in outcome.findings] == kinds
    assert len(outcome.measurements) == ("PASS" in kinds)


@pytest.mark.parametrize(
    ("serves", "reverse", "argv"),
    [
        (True, False, ("iperf3", "--server", "--one-off", "--json", "--port", "5")),
        (False, False, ("iperf3", "--client", "fe80::1%eth0", "--port", "5", "--time", "60", "--json")),
        (False, True, ("iperf3", "--client", "fe80::1%eth0", "--port", "5", "--time", "60", "--json", "--reverse")),
    ],
)
def test_the_programs_of_an_exchange(serves: bool, reverse: bool, argv: tuple[str, ...]) -> None:
    program = network.iperf(Partner("fe80::1%eth0", serves), 5, 60, reverse=reverse)
    assert program.argv == argv
    # a partner that never comes holds up nothing for ever
    assert program.seconds < 300
