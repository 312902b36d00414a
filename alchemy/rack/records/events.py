"""Events: what happened to whom, and why. They are added, and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from alchemy.rack.records.schema import events

_LONGEST = 2000  # characters of a message


@dataclass(frozen=True)
class Event:
    """Something that happened. `node_id` is None where it concerns no node; `data` is an object of JSON."""

    id: int
    node_id: str | None
    at: datetime
    kind: str
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)


def add(
    connection: Connection,
    node_id: str | None,
    kind: str,
    message: str,
    data: Mapping[str, Any] | None = None,
    *,
    now: datetime,
) -> int:
    """Adds an event and returns its id; ids grow. A message that is too long is cut."""
    row = {"node_id": node_id, "at": now, "kind": kind, "message": message[:_LONGEST], "data": dict(data or {})}
    identifier: int = connection.execute(events.insert().values(row).returning(events.c.id)).scalar_one()
    return identifier


def since(connection: Connection, after: int = 0, *, node_id: str | None = None, limit: int = 500) -> list[Event]:
    """Returns the oldest events with an id above `after`, of one node or of all.

    With PostgreSQL, who follows the events may miss one: of two transactions, the one that ends first may have the
    higher id. What has to be whole reads the records themselves.
    """
    return _select(connection, events.c.id > after, events.c.id, node_id, limit)


def latest(
    connection: Connection, *, before: int | None = None, node_id: str | None = None, limit: int = 100
) -> list[Event]:
    """Returns the newest events first, those with an id below `before` where that is given."""
    return _select(connection, True if before is None else events.c.id < before, events.c.id.desc(), node_id, limit)


def last_id(connection: Connection) -> int:
    """Returns the id of the newest event; 0 where there is none."""
    return connection.execute(select(events.c.id).order_by(events.c.id.desc()).limit(1)).scalar() or 0


def _select(connection: Connection, condition: Any, order: Any, node_id: str | None, limit: int) -> list[Event]:
    query = select(events).where(condition).order_by(order).limit(limit)
    if node_id is not None:
        query = query.where(events.c.node_id == node_id)
    return [Event(**row) for row in connection.execute(query).mappings()]
