"""Gathers the facts for a decision from the records and from Collins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from alchemy.rack.decisions import Facts, OpenRun, Ordered
from alchemy.rack.identity import Keys
from alchemy.rack.records import orders, runs
from alchemy.rack.records.nodes import Match, Node
from alchemy.rack.service.core import Collins, Service

# characters of a vendor or a model; SMBIOS strings are mostly below 64
SMBIOS = 128


@dataclass(frozen=True)
class Asker:
    """A machine that asks: its keys, and its vendor and model by SMBIOS, empty if it does not send them."""

    keys: Keys
    vendor: str = ""
    model: str = ""


def gather(service: Service, connection: Connection, asker: Asker, match: Match, now: datetime) -> Facts:
    """Returns the facts about the machine that asks."""
    keys = asker.keys
    facts = Facts(serial=keys.serial, macs=keys.macs, vendor=asker.vendor, model=asker.model)
    if match.conflicts:
        return replace(facts, conflict="; ".join(map(str, match.conflicts[:3])))
    if match.node is not None:
        facts = _of_node(connection, match.node, facts, now)
    return facts if service.collins is None else _of_collins(service.collins, match.node, keys, facts)


def _of_node(connection: Connection, node: Node, facts: Facts, now: datetime) -> Facts:
    order = orders.current(connection, node.id, now=now)
    return replace(
        facts,
        serial=facts.serial or node.keys.serial,
        macs=facts.macs or node.keys.macs,
        vendor=node.vendor or facts.vendor,
        model=node.model or facts.model,
        port=node.port or "",
        inventoried=node.inventory_id is not None,
        order=None if order is None else Ordered(order.profile, confirmed=order.destructive),
        run=_open_run(connection, node),
        passed=passed(connection, node.id),
    )


def _of_collins(collins: Collins, node: Node | None, keys: Keys, facts: Facts) -> Facts:
    """Adds when Collins last answered, and the status from the records, else from that answer."""
    if node is not None and node.status:
        answered = collins.remembered()
        return replace(facts, answered=answered, status=node.status, state=node.state or "", since=node.status_at)
    # only an answer since the start says that Collins does not know a machine
    facts = replace(facts, answered=collins.answered())
    asset = collins.find(keys)
    return facts if asset is None else replace(facts, status=asset.status, state=asset.state)


def passed(connection: Connection, node_id: str) -> datetime | None:
    """Returns when the latest burn-in of a node passed; None where it did not, or none has ended."""
    run = runs.passed(connection, node_id)
    return None if run is None else run.ended


def _open_run(connection: Connection, node: Node) -> OpenRun | None:
    run = runs.open_of(connection, node.id)
    return None if run is None else OpenRun(run.profile, run.resumes)
