"""Orders: the next boot of a node that an operator wants, in place of the decided one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from alchemy.rack.records import nodes
from alchemy.rack.records.nodes import Node
from alchemy.rack.records.schema import orders


@dataclass(frozen=True)
class Order:
    """An order. It is open while `ended` is None; `outcome` is then spent, replaced, cancelled or expired."""

    id: str
    node_id: str
    profile: str
    once: bool
    destructive: bool
    operator: str
    made: datetime
    expires: datetime | None
    ended: datetime | None = None
    outcome: str | None = None


def set(  # noqa: A001
    connection: Connection,
    node: Node,
    profile: str,
    *,
    once: bool,
    destructive: bool,
    expires: datetime | None,
    confirm: str | None,
    operator: str,
    now: datetime,
) -> Order:
    """Makes an order, in place of the one that is open. Raises ValueError with the reason for which it is refused.

    A destructive one has to expire, and `confirm` has to be the serial of the node.
    """
    if expires is not None and expires <= now:
        raise ValueError("expires: in the past")
    if destructive and expires is None:
        raise ValueError(f"expires: missing (expected a time, as the profile {profile} is destructive)")
    if destructive and node.keys.serial is None:
        raise ValueError(f"confirm: the node has no serial, which the destructive profile {profile} needs")
    if destructive and confirm != node.keys.serial:
        raise ValueError(f"confirm: not the serial of the node, which the destructive profile {profile} needs")
    nodes.lock(connection, node.id)
    _end(connection, orders.c.node_id == node.id, "replaced", now)
    row: dict[str, Any] = {
        "node_id": node.id,
        "profile": profile,
        "once": once,
        "destructive": destructive,
        "operator": operator,
        "made": now,
        "expires": expires,
    }
    return Order(id=connection.execute(orders.insert().values(row).returning(orders.c.id)).scalar_one(), **row)


def current(connection: Connection, node_id: str, *, now: datetime) -> Order | None:
    """Returns the order of a node that counts now.

    An order of the future does not: the clock has jumped back, and a time at which one expires says nothing.
    """
    query = select(orders).where(
        orders.c.node_id == node_id,
        orders.c.ended.is_(None),
        orders.c.made <= now,
        or_(orders.c.expires.is_(None), orders.c.expires > now),
    )
    row = connection.execute(query.order_by(orders.c.id.desc()).limit(1)).mappings().first()
    return None if row is None else Order(**row)


def spend(connection: Connection, order: Order, *, now: datetime) -> bool:
    """Ends an order that counts once; returns whether it was still open. One that stays is left as it is."""
    return _end(connection, orders.c.id == order.id, "spent", now) == 1 if order.once else True


def cancel(connection: Connection, node_id: str, *, now: datetime) -> bool:
    """Ends the open order of a node; returns whether there was one."""
    return _end(connection, orders.c.node_id == node_id, "cancelled", now) > 0


def expire(connection: Connection, *, now: datetime) -> int:
    """Ends expired orders, so that a clock that jumps back revives none of them; returns how many."""
    return _end(connection, orders.c.expires <= now, "expired", now)


def history(connection: Connection, node_id: str, *, limit: int = 50) -> list[Order]:
    """Returns the orders of a node, the newest first."""
    query = select(orders).where(orders.c.node_id == node_id).order_by(orders.c.id.desc()).limit(limit)
    return [Order(**row) for row in connection.execute(query).mappings()]


def _end(connection: Connection, which: ColumnElement[bool], outcome: str, now: datetime) -> int:
    values = {"ended": now, "outcome": outcome}
    return connection.execute(orders.update().where(and_(which, orders.c.ended.is_(None))).values(values)).rowcount
