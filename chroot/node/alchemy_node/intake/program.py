"""alchemy-intake: brings this machine into an infrastructure manager."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TextIO

from alchemy_node import cmdline, manager, private_files, rack
from alchemy_node.burnin import reader, results
from alchemy_node.burnin import status as burnin
from alchemy_node.intake import asset_tag, collins, facts, ironic, lldp_gate, options, pair
from alchemy_node.intake.asset_tag import Tag
from alchemy_node.intake.options import Options
from alchemy_node.intake.pair import Pair
from alchemy_node.intake.refusal import refusal_lines, repair_lines
from alchemy_node.inventory import document
from alchemy_node.machine import Machine
from alchemy_node.manager import Login, ManagerError
from alchemy_node.status import Status
from alchemy_node.text import printable


@dataclass(frozen=True)
class Surroundings:
    """What a test replaces: the machine, where files go, time and output."""

    machine: Machine = field(default_factory=Machine)
    log: Path = Path("/var/log/alchemy/intake")
    session: Path = rack.SESSION
    burnin: Path = burnin.FOLDER
    pause: Callable[[float], None] = sleep
    clock: Callable[[], float] = monotonic
    out: TextIO = field(default_factory=lambda: sys.stdout)
    errors: TextIO = field(default_factory=lambda: sys.stderr)

    def say(self, line: str) -> None:
        """Prints a line, safe for a console."""
        print(printable(line, 1000), file=self.out, flush=True)

    def complain(self, lines: Sequence[str]) -> None:
        """Prints an error and its hint."""
        for line in lines:
            print(printable(line, 1000), file=self.errors, flush=True)


def main(arguments: Sequence[str], around: Surroundings | None = None) -> int:
    """Runs alchemy-intake, and returns its exit status."""
    around = around or Surroundings()
    try:
        asked = options.read(arguments)
        if around.machine.root == Path("/") and os.geteuid() != 0:
            raise ManagerError("needs root, for DMI and disks", "sudo alchemy-intake ...", Status.USAGE)
        return _run(asked, around)
    except ManagerError as error:
        return _failed("alchemy-intake", error, around)
    except OSError as error:
        return _failed("alchemy-intake", ManagerError(f"{error.filename}: {error.strerror}"), around)
    except KeyboardInterrupt:
        return Status.ERROR


def _run(asked: Options, around: Surroundings) -> Status:
    """Takes the inventory, keeps it, and brings it to each manager: one that fails does not keep it from the next."""
    silent = _wait_for_lldp(around)
    found = document.collect(around.machine)
    private_files.write(around.log / "inventory.json", json.dumps(found, indent=1) + "\n")
    ports = [f"{one.port}: {one.problem} (hint: {one.hint})" for one in lldp_gate.explain(silent, found)]
    for line in ports:
        around.say(f"warning: {line}")
    kernel = cmdline.values(around.machine).get("asset_tag", "")
    tag = Tag(asked.tag, "--tag") if asked.tag else asset_tag.find(around.machine, kernel)
    statuses = [Status.PASS]
    if asked.rack:
        statuses.append(_attempt("rack", around, lambda: _to_rack(asked, found, tag, ports, around)))
    if asked.ironic:
        statuses.append(_attempt("ironic", around, lambda: _to_ironic(asked.ironic, found, around)))
    if asked.collins:
        server = manager.Server(asked.collins, asked.login.headers(), pause=around.pause)
        client = collins.Collins(server, asked.login, around.say)
        statuses.append(_attempt("collins", around, lambda: _to_collins(client, asked, found, tag, ports, around)))
    worst = max(statuses)
    if worst:
        around.say(f"intake: the documents are kept in {around.log}")
    return worst


def _attempt(name: str, around: Surroundings, call: Callable[[], Status]) -> Status:
    try:
        return call()
    except ManagerError as error:
        return _failed(name, error, around)


def _failed(name: str, error: ManagerError, around: Surroundings) -> Status:
    around.complain([f"error: {name}: {error}", *([f"hint: {error.hint}"] if error.hint else [])])
    return error.status


def _wait_for_lldp(around: Surroundings) -> list[str]:
    linked = lldp_gate.linked_ports(around.machine)
    around.say(f"intake: waiting up to {lldp_gate.SECONDS:g} s for LLDP on {', '.join(linked) or 'no port'}")
    return lldp_gate.wait(around.machine, pause=around.pause, clock=around.clock)


def _to_rack(asked: Options, found: dict[str, Any], tag: Tag, ports: list[str], around: Surroundings) -> Status:
    """Sends the inventory, and brings the machine into the Collins behind the service, which reports burn-ins."""
    session = rack.open_session(asked.rack, rack.identity(around.machine, tag.value), around.session, around.pause)
    rack.put_inventory(session, found, around.pause)
    around.say(f"rack: took the inventory of node {session.node}")
    server = None if asked.collins else rack.collins(session, around.pause)
    if server is None:
        return Status.PASS
    client = collins.Collins(server, Login("", session.token), around.say)
    return _attempt("collins", around, lambda: _to_collins(client, asked, found, tag, ports, around))


def _to_ironic(url: str, found: dict[str, Any], around: Surroundings) -> Status:
    node = ironic.report(url, found, around.pause)
    around.say(f"ironic: took the inventory of node {node or '(unnamed)'}")
    return Status.PASS


def _to_collins(
    client: collins.Collins,
    asked: Options,
    found: dict[str, Any],
    tag: Tag,
    ports: list[str],
    around: Surroundings,
) -> Status:
    """Makes the pair, says what Collins would refuse, and only then calls it."""
    lshw, lldp = pair.read(around.machine)
    made = pair.make(lshw, lldp, facts.of(found), asked.allowances)
    pair.write(made, around.log)
    for line in repair_lines(made.repairs):
        around.say(f"repair: {line}")
    intake = _intake(asked, found, tag, made, ports, around)
    refusals = [*made.refusals, *collins.refusals(intake)]
    around.complain(refusal_lines(refusals))
    if not tag.value:
        around.complain([f"error: asset tag: {reason}" for reason in tag.reasons])
        around.complain(["hint: alchemy-intake --tag TAG; or boot with asset_tag=TAG"])
    if refusals or not tag.value:
        around.complain(["error: collins: nothing was sent"])
        return Status.FAIL
    around.say(f"collins: asset {tag.value}, from {tag.source}")
    status = client.bring_in(intake)
    around.say(f"collins: the asset {tag.value} is {status}")
    if asked.collins:
        _report_burn_in(client, tag.value, around)
    return Status.PASS


def _report_burn_in(client: collins.Collins, tag: str, around: Surroundings) -> None:
    """Reports the newest burn-in since the machine booted, if it has ended. Raises ManagerError."""
    record = burnin.newest(around.burnin)
    run = None if record is None else reader.read(record)
    if run is not None and run.status is not None:
        client.report(tag, results.attributes(run), results.entry(run), results.kind(run))


def _intake(
    asked: Options, found: dict[str, Any], tag: Tag, made: Pair, ports: list[str], around: Surroundings
) -> collins.Intake:
    pvids = " ".join(f"{port}={vlan}" for port, vlan in sorted(made.pvids.items()))
    return collins.Intake(
        tag=tag.value,
        # a machine that is its own chassis has one tag: the sticker's
        chassis_tag=asset_tag.of_chassis(around.machine) or tag.value,
        serial=made.serial,
        lshw=made.lshw,
        lldp=made.lldp,
        attributes={"LLDP_PVID": printable(pvids)} if pvids else {},
        report={
            "intake": {"image": found["alchemy"].get("image"), "repairs": repair_lines(made.repairs), "lldp": ports}
        },
        generate_ipmi=asked.generate_ipmi,
        replace=asked.replace,
    )
