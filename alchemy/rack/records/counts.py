"""Counts records, for monitoring."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from alchemy.rack.records.schema import nodes as node_table
from alchemy.rack.records.schema import runs as run_table

# A stage is a node's own word: this many of them are told apart.
_MOST = 200


def nodes(connection: Connection) -> dict[tuple[str, str], int]:
    """Returns how many nodes have each Collins status and stage, the most frequent first; empty for none."""
    columns = (node_table.c.status, node_table.c.stage)
    query = select(*columns, func.count()).group_by(*columns).order_by(func.count().desc()).limit(_MOST)
    return {(row[0] or "", row[1] or ""): row[2] for row in connection.execute(query)}


def alarms(connection: Connection) -> int:
    """Returns how many nodes have an alarm."""
    query = select(func.count()).select_from(node_table).where(node_table.c.alarm.is_not(None))
    return connection.execute(query).scalar_one()


def open_runs(connection: Connection) -> int:
    """Returns how many runs have no end."""
    query = select(func.count()).select_from(run_table).where(run_table.c.ended.is_(None))
    return connection.execute(query).scalar_one()
