"""Lists nodes by what a person looks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from alchemy.rack.records import nodes as node_records
from alchemy.rack.records.nodes import Node
from alchemy.rack.records.runs import Run
from alchemy.rack.records.schema import nodes, runs

Order = Literal["tag", "port", "model", "serial", "status", "profile", "stage_at", "last_seen"]


@dataclass(frozen=True)
class Filters:
    """What a node of a list has to be; all of them count together, and the defaults leave all nodes.

    `failed`: its last run ended with FAIL or ERROR. `silent_since`: it has an open run, and was not heard since then.
    `alarm`: an alarm was raised. `model`, `vendor`, `status`, `state`: exactly that, in any case. `text`: a part of
    its serial, UUID, asset tag, MACs, tag, vendor, model, port or address.
    """

    failed: bool = False
    silent_since: datetime | None = None
    alarm: bool = False
    running: bool = False
    model: str | None = None
    vendor: str | None = None
    status: str | None = None
    state: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Listed:
    """A node and its last run."""

    node: Node
    run: Run | None


@dataclass(frozen=True)
class Found:
    """A page of a list, and how many nodes the whole list has."""

    nodes: tuple[Listed, ...]
    total: int


def search(
    connection: Connection,
    filters: Filters,
    *,
    offset: int = 0,
    limit: int = 100,
    order: Order = "port",
    descending: bool = False,
) -> Found:
    """Returns a page of the nodes that fit, by their switch ports or in another order.

    Those without the value that they are ordered by come last.
    """
    searched = nodes.join(runs, runs.c.id == nodes.c.run_id) if _by_run(filters) else nodes
    condition = and_(True, *_conditions(filters))
    total = connection.execute(select(func.count()).select_from(searched).where(condition)).scalar_one()
    query = select(nodes).select_from(searched).where(condition)
    column = nodes.c["place" if order == "port" else order]
    direction = (column.desc() if descending else column.asc()).nulls_last()
    ordered = query.order_by(direction, nodes.c.id).offset(offset).limit(limit)
    found = [node_records.from_row(row) for row in connection.execute(ordered).mappings()]
    last = select(runs).where(runs.c.id.in_([node.run_id for node in found if node.run_id]))
    by_id = {row["id"]: Run(**row) for row in connection.execute(last).mappings()}
    return Found(tuple(Listed(node, by_id.get(node.run_id or "")) for node in found), total)


def tally(connection: Connection, silent_since: datetime) -> dict[str, int]:
    """Returns how many nodes there are, and how many of them are `failed`, `silent`, `running` and in `alarm`."""
    kinds = {
        "failed": Filters(failed=True),
        "silent": Filters(silent_since=silent_since),
        "running": Filters(running=True),
        "alarm": Filters(alarm=True),
    }
    sums = []
    for kind, filters in kinds.items():
        conditions = [*([runs.c.id.is_not(None)] if _by_run(filters) else []), *_conditions(filters)]
        sums.append(func.count(case((and_(*conditions), 1))).label(kind))
    joined = nodes.outerjoin(runs, runs.c.id == nodes.c.run_id)
    query = select(func.count().label("all"), *sums).select_from(joined)
    return dict(connection.execute(query).mappings().one())


def values(connection: Connection, column: str, *, limit: int = 200) -> list[str]:
    """Returns what `model`, `vendor`, `status` or `state` the nodes have, for a choice of filters."""
    chosen = nodes.c[column]
    query = select(chosen).where(chosen.is_not(None)).distinct().order_by(chosen).limit(limit)
    return list(connection.execute(query).scalars())


def _by_run(filters: Filters) -> bool:
    """Returns whether only nodes with a run fit."""
    return filters.failed or filters.running or filters.silent_since is not None


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.failed:
        conditions.append(or_(runs.c.result == "FAIL", runs.c.status == "ERROR"))
    if filters.silent_since is not None:
        conditions += [runs.c.ended.is_(None), nodes.c.last_seen < filters.silent_since]
    if filters.alarm:
        conditions.append(nodes.c.alarm.is_not(None))
    if filters.running:
        conditions.append(runs.c.ended.is_(None))
    for name in ("model", "vendor", "status", "state"):
        wanted = getattr(filters, name)
        if wanted:
            conditions.append(func.lower(nodes.c[name]) == wanted.lower())
    if filters.text:
        conditions.append(_mentions(filters.text.lower()))
    return conditions


def _mentions(text: str) -> ColumnElement[bool]:
    names = ("serial", "uuid", "asset_tag", "macs", "tag", "vendor", "model", "port", "address")
    return or_(*(func.lower(nodes.c[name]).contains(text, autoescape=True) for name in names))
