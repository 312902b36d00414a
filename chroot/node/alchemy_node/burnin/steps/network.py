"""Exchange data with another node on the same link, both ways, with iperf3; the kernel's counters find what breaks.

Source of the format: the output of iperf3 with -J.
"""

from __future__ import annotations

import json
from functools import partial
from posixpath import basename, dirname
from typing import Any

from alchemy_node.burnin import pairing
from alchemy_node.burnin.activity import Activity, Finding, Kind, Measurement, Outcome, Pause, Program, one, trouble
from alchemy_node.burnin.evidence import number
from alchemy_node.burnin.pairing import Partner
from alchemy_node.burnin.parts import Part
from alchemy_node.burnin.step import Planned, Setting
from alchemy_node.burnin.steps.cpu import GRACE, once
from alchemy_node.machine import Machine
from alchemy_node.processes import Output

_PORT = 49874
_PAIRING_SHARE = 0.3
_PAIRING_SECONDS = 60.0
# the least share of its speed that a link carries, when nothing else loads the machine
_SHARE = 0.8


def plan(setting: Setting) -> Planned:
    """Plans an exchange over each interface that has a link."""
    if "iperf3" not in setting.tools:
        return Planned(skip="iperf3 is not installed; the error counters are watched")
    linked = list(_linked(setting.machine))
    if not linked:
        return Planned(skip="no interface has a link")
    activities = tuple(
        partial(exchange, setting, name, speed, setting.parts.find("nic", name), _PORT + index)
        for index, (name, speed) in enumerate(linked)
    )
    return Planned(
        activities, f"exchanges data over {', '.join(name for name, _ in linked)} with nodes that it finds there"
    )


def _linked(machine: Machine) -> list[tuple[str, int]]:
    """Returns the interfaces of hardware that have a link, with their speed in Mbit/s, 0 where that is unknown."""
    folders = [dirname(path) for path in machine.glob("/sys/class/net/*/device")]
    return [
        (basename(folder), max(0, number(machine.read(f"{folder}/speed")) or 0))
        for folder in folders
        if number(machine.read(f"{folder}/carrier")) == 1
    ]


def exchange(setting: Setting, interface: str, speed: int, part: Part, port: int) -> Activity[Outcome]:
    """Finds a partner, and exchanges data with it in both directions."""
    look = min(_PAIRING_SECONDS, setting.seconds * _PAIRING_SHARE)
    try:
        partner = yield from pairing.find(interface, look)
    except OSError as error:
        return one(Kind.ERROR, "pairing", f"{part}: cannot look for a partner ({error.strerror})", part)
    if partner is None:
        return one(Kind.SKIP, "unpaired", f"{part}: no other node looks for a partner on its link", part)
    seconds = max(1, round((setting.seconds - look) / 2))
    outcomes = []
    for reverse in (False, True):
        if not partner.serves:
            # the server needs a moment to listen
            yield Pause(3)
        output = yield iperf(partner, port, seconds, reverse=reverse)
        # the server receives first what the client sends, and then sends what that receives
        word = "receiving" if partner.serves != reverse else "sending"
        outcomes.append(judge(word, part, output, speed if setting.alone else 0))
    return once(outcomes)


def iperf(partner: Partner, port: int, seconds: int, *, reverse: bool) -> Program:
    """Returns the program for one direction: a server that ends after one client, or the client."""
    if partner.serves:
        argv: tuple[str, ...] = ("iperf3", "--server", "--one-off", "--json", "--port", str(port))
    else:
        argv = ("iperf3", "--client", partner.address, "--port", str(port), "--time", str(seconds), "--json")
        argv = (*argv, "--reverse") if reverse else argv
    return Program(argv, seconds + 2 * GRACE)


def judge(word: str, part: Part, output: Output, speed: int) -> Outcome:
    """Returns the findings of an exchange: whether data went through, and how fast; `speed` is the least speed."""
    rate = _rate(output)
    if output.status != 0 or rate is None or rate <= 0:
        return trouble(f"iperf3 {word} on {part}", output, part)
    group = f"{speed} Mbit/s" if speed else None
    findings = [Finding(Kind.PASS, "network-load", f"{part}: {word} at {rate:.0f} Mbit/s", part)]
    if speed and rate < speed * _SHARE:
        message = f"{part}: {word} reaches {rate:.0f} of {speed} Mbit/s: the link, the partner or its CPU is slow"
        findings.append(Finding(Kind.UNKNOWN, "network-slow", message, part))
    return Outcome(tuple(findings), (Measurement(f"{word} speed", round(rate, 1), "Mbit/s", part, group=group),))


def _rate(output: Output) -> float | None:
    """Returns the Mbit/s that arrived, from iperf3's JSON; a server that sends is not told, and gives those sent."""
    try:
        end: Any = json.loads(output.stdout)["end"]
        rates = [end[side]["bits_per_second"] for side in ("sum_received", "sum_sent")]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if any(isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate < 1e13 for rate in rates):
        return None
    received, sent = map(float, rates)
    return (received or sent) / 1e6
