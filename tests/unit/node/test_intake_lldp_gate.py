"""The LLDP gate: which ports are waited for, how long, and what is said of a silent one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from alchemy_node.intake import lldp_gate
from alchemy_node.intake.lldp_gate import Silent
from alchemy_node.machine import Machine
from alchemy_node.processes import Output
from tests.unit.node import intake_xml as xml


@dataclass
class Lldpd:
    """What lldpd says, call by call; the last for ever. `now` is the time, in seconds."""

    answers: list[str]
    now: float = 0.0
    calls: int = field(default=0)

    def __call__(self, argv: Sequence[str], seconds: float, limit: int) -> Output:
        assert argv[0] == "lldpcli"
        answer = self.answers[min(self.calls, len(self.answers) - 1)]
        self.calls += 1
        return Output(0, answer)

    def pause(self, seconds: float) -> None:
        self.now += seconds


def _machine(root: Path, lldpd: Lldpd) -> Machine:
    """eth0 and eth1 have a link, eth2 has none, eth3 is a virtual function, bond0 is not hardware."""
    ports = {"eth0": "1", "eth1": "1", "eth2": "0", "eth3": "1", "bond0": "1"}
    for name, carrier in ports.items():
        folder = root / "sys/class/net" / name
        (folder / "device" if name != "bond0" else folder).mkdir(parents=True)
        (folder / "carrier").write_text(f"{carrier}\n", encoding="utf-8")
    (root / "sys/class/net/eth3/device/physfn").mkdir()
    return Machine(root, lldpd)


BOTH = xml.lldp(xml.neighbor(), xml.neighbor(name="eth1"))
ONE = xml.lldp(xml.neighbor())


@pytest.mark.parametrize(
    ("answers", "silent", "seconds"),
    [
        ([BOTH], [], 0),
        (["", "garbage", ONE, ONE, BOTH], [], 8),
        ([ONE], ["eth1"], 60),
        ([xml.lldp()], ["eth0", "eth1"], 60),
        (["<!DOCTYPE x><x/>"], ["eth0", "eth1"], 60),
    ],
)
def test_the_wait(tmp_path: Path, answers: list[str], silent: list[str], seconds: float) -> None:
    lldpd = Lldpd(answers)
    machine = _machine(tmp_path, lldpd)
    assert lldp_gate.wait(machine, pause=lldpd.pause, clock=lambda: lldpd.now) == silent
    assert lldpd.now == seconds


def test_a_machine_without_a_link_is_not_waited_for(tmp_path: Path) -> None:
    assert lldp_gate.wait(Machine(tmp_path, Lldpd([ONE]))) == []


@pytest.mark.parametrize(
    ("nic", "problem", "hint"),
    [
        (
            {"driver": "i40e", "lldp_in_firmware": True},
            "no LLDP neighbour: the NIC's firmware takes the LLDP frames for itself",
            "ethtool --set-priv-flags eth0 disable-fw-lldp on",
        ),
        (
            {"driver": "ice", "lldp_in_firmware": True},
            "no LLDP neighbour: the NIC's firmware takes the LLDP frames for itself",
            "ethtool --set-priv-flags eth0 fw-lldp-agent off",
        ),
        (
            {"driver": "i40e", "lldp_in_firmware": False},
            "no LLDP neighbour on a port with a link",
            "enable LLDP on the switch port",
        ),
        ({}, "no LLDP neighbour on a port with a link", "enable LLDP on the switch port"),
    ],
)
def test_what_is_said(nic: dict[str, object], problem: str, hint: str) -> None:
    document = {"alchemy": {"nics": [{"name": "eth0", **nic}]}}
    assert lldp_gate.explain(["eth0"], document) == [Silent("eth0", problem, hint)]


def test_a_port_that_the_document_does_not_have() -> None:
    assert [one.port for one in lldp_gate.explain(["eth9"], {"alchemy": {"nics": []}})] == ["eth9"]
