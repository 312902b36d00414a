"""What the records hold for a manager such as Collins: the status that it gave each node, and which runs it has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, or_, select

from alchemy.rack.identity import Keys
from alchemy.rack.records.nodes import any_of
from alchemy.rack.records.runs import Run
from alchemy.rack.records.schema import keys as key_table
from alchemy.rack.records.schema import nodes, reports, runs


@dataclass(frozen=True)
class Standing:
    """A node, and what the manager last said of it."""

    node_id: str
    keys: Keys
    tag: str | None
    status: str | None
    state: str | None


def everyone(connection: Connection) -> list[Standing]:
    """Returns the standing of every node."""
    return _select(connection, [])


def concerned(connection: Connection, keys: Keys) -> list[Standing]:
    """Returns the nodes that an asset with these keys is, or was: by its tag, its serial number or a MAC."""
    owners = select(key_table.c.node_id).where(any_of(keys))
    tagged = (nodes.c.tag == keys.asset_tag, nodes.c.asset_tag == keys.asset_tag)
    return _select(connection, [or_(*tagged, nodes.c.id.in_(owners))])


def unreported(connection: Connection, *, limit: int = 20) -> list[Run]:
    """Returns burn-ins that have ended and that the manager has not got: those with a token, the oldest first."""
    query = select(runs).outerjoin(reports, reports.c.run_id == runs.c.id).where(reports.c.run_id.is_(None))
    wanted = query.where(runs.c.ended.is_not(None), runs.c.proven, runs.c.result.is_not(None))
    return [Run(**row) for row in connection.execute(wanted.order_by(runs.c.id).limit(limit)).mappings()]


def reported(connection: Connection, run_id: str, *, now: datetime) -> None:
    """Notes that the manager has a run."""
    connection.execute(reports.insert().values(run_id=run_id, at=now))


def _select(connection: Connection, conditions: Iterable[ColumnElement[bool]]) -> list[Standing]:
    table = nodes.c
    columns = (table.id, table.uuid, table.serial, table.asset_tag, table.macs, table.tag, table.status, table.state)
    return [
        Standing(row.id, Keys(row.uuid, row.serial, row.asset_tag, tuple(row.macs)), row.tag, row.status, row.state)
        for row in connection.execute(select(*columns).where(*conditions))
    ]
