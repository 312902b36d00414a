"""Nodes: the machines of a rack, found by any of their keys."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict, Unpack

from sqlalchemy import ColumnElement, Connection, Row, RowMapping, and_, delete, or_, select

from alchemy.rack.identity import Keys
from alchemy.rack.records.schema import keys as key_table
from alchemy.rack.records.schema import nodes


@dataclass(frozen=True)
class Node:
    """A machine. `tag`, `status` and `state` are Collins', the latter two since `status_at`; `port` is the switch's.

    `profile` and `reason` are what the last decision said; `inventory_id` and `run_id` are the newest of each.
    """

    id: str
    keys: Keys
    first_seen: datetime
    last_seen: datetime
    vendor: str | None = None
    model: str | None = None
    port: str | None = None
    tag: str | None = None
    status: str | None = None
    state: str | None = None
    status_at: datetime | None = None
    profile: str | None = None
    reason: str | None = None
    stage: str | None = None
    stage_message: str | None = None
    stage_at: datetime | None = None
    address: str | None = None
    version: str | None = None
    alarm: str | None = None
    alarm_at: datetime | None = None
    inventory_id: str | None = None
    run_id: str | None = None

    @property
    def name(self) -> str:
        """What a person calls it: its tag, its serial, or its first MAC."""
        keys = self.keys
        return self.tag or keys.serial or keys.asset_tag or next(iter(keys.macs), None) or keys.uuid or self.id


class Changes(TypedDict, total=False):
    """What `update` may change."""

    vendor: str | None
    model: str | None
    port: str | None
    tag: str | None
    status: str | None
    state: str | None
    status_at: datetime | None
    profile: str | None
    reason: str | None
    stage: str | None
    stage_message: str | None
    stage_at: datetime | None
    address: str | None
    version: str | None
    last_seen: datetime
    alarm: str | None
    alarm_at: datetime | None
    inventory_id: str | None
    run_id: str | None


@dataclass(frozen=True)
class Conflict:
    """A key that a machine says and that belongs to a node which is another machine."""

    node_id: str
    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind} {self.value} belongs to node {self.node_id}"


@dataclass(frozen=True)
class Match:
    """The node that keys belong to. With a conflict there is no node, and the machine gets no token."""

    node: Node | None
    conflicts: tuple[Conflict, ...] = ()


def match(connection: Connection, keys: Keys) -> Match:
    """Finds the node of a machine by its serial, its UUID or any of its MACs.

    A conflict: the keys belong to several nodes, or to one whose other keys say that it is another machine, or all of
    them are shared.
    """
    rows = connection.execute(select(key_table).where(any_of(keys))).all()
    shared = {(row.kind, row.value) for row in rows if row.shared}
    claimed = [row for row in rows if not row.shared]
    own = keys.without(shared)
    if not any(own.items()):
        return Match(None, _conflicts(rows))
    owners = {row.node_id for row in claimed}
    node = get(connection, owners.pop()) if len(owners) == 1 else None
    if not claimed or (node is not None and _identifying(connection, node.keys).is_same_machine(own)):
        return Match(node)
    return Match(None, _conflicts(claimed))


def any_of(keys: Keys) -> ColumnElement[bool]:
    """Returns the condition that a row of the table of keys is one of these."""
    # a comparison of pairs would be shorter, but SQLite has no index for it
    by_kind: dict[str, list[str]] = {}
    for kind, value in keys.items():
        by_kind.setdefault(kind, []).append(value)
    table = key_table.c
    return or_(False, *(and_(table.kind == kind, table.value.in_(values)) for kind, values in by_kind.items()))


def get(connection: Connection, node_id: str) -> Node | None:
    """Returns a node by its id."""
    row = connection.execute(select(nodes).where(nodes.c.id == node_id)).mappings().one_or_none()
    return None if row is None else from_row(row)


def create(connection: Connection, keys: Keys, *, now: datetime) -> Node:
    """Adds a machine that `match` does not know. Of two at once, one raises RecordsError and has to try again."""
    row = {**_fields(keys), "first_seen": now, "last_seen": now}
    node_id = connection.execute(nodes.insert().values(row).returning(nodes.c.id)).scalar_one()
    _own(connection, node_id, keys)
    return Node(id=node_id, keys=keys, first_seen=now, last_seen=now)


def learn(connection: Connection, node: Node, keys: Keys, *, now: datetime) -> Node:
    """Notes that a node is there, and which keys it says now; returns it as it then is."""
    merged = node.keys.merged(keys)
    if merged != node.keys:
        connection.execute(delete(key_table).where(key_table.c.node_id == node.id, ~key_table.c.shared))
        _own(connection, node.id, merged)
    changes = {**_fields(merged), "last_seen": now}
    connection.execute(nodes.update().where(nodes.c.id == node.id).values(changes))
    return get(connection, node.id) or node


def lock(connection: Connection, node_id: str) -> None:
    """Has other transactions that lock the node wait for the end of this one. SQLite has one writer in any case."""
    connection.execute(select(nodes.c.id).where(nodes.c.id == node_id).with_for_update()).first()


def release(connection: Connection, node_id: str, kind: str, value: str) -> bool:
    """Has a key that a node says identify no machine any more, by order of an operator; returns whether it says it.

    This ends a conflict: a part has moved, a board was replaced, or all machines of a chassis have one serial. `kind`
    and `value` are those of a Conflict.
    """
    node = get(connection, node_id)
    if node is None or (kind, value) not in node.keys.items():
        return False
    condition = (key_table.c.kind == kind, key_table.c.value == value)
    connection.execute(key_table.update().where(*condition).values(shared=True))
    return True


def update(connection: Connection, node_id: str, **changes: Unpack[Changes]) -> None:
    """Changes fields of a node."""
    values: dict[str, Any] = {**changes}
    if "port" in changes:
        values["place"] = _place(changes["port"])
    connection.execute(nodes.update().where(nodes.c.id == node_id).values(values))


def from_row(row: RowMapping) -> Node:
    """Returns the node of a row of the table."""
    fields = {name: row[name] for name in Node.__dataclass_fields__ if name != "keys"}
    return Node(keys=Keys(row["uuid"], row["serial"], row["asset_tag"], tuple(row["macs"])), **fields)


def _place(port: str | None) -> str | None:
    return None if port is None else re.sub(r"[0-9]+", lambda digits: digits[0].zfill(10), port)


def _fields(keys: Keys) -> dict[str, Any]:
    return {"uuid": keys.uuid, "serial": keys.serial, "asset_tag": keys.asset_tag, "macs": list(keys.macs)}


def _own(connection: Connection, node_id: str, keys: Keys) -> None:
    own = _identifying(connection, keys).items()
    rows = [{"kind": kind, "value": value, "node_id": node_id, "shared": False} for kind, value in own]
    if rows:
        connection.execute(key_table.insert(), rows)


def _identifying(connection: Connection, keys: Keys) -> Keys:
    """Returns those of the keys that are not shared."""
    rows = connection.execute(select(key_table).where(any_of(keys), key_table.c.shared)).all()
    return keys.without({(row.kind, row.value) for row in rows})


def _conflicts(rows: Sequence[Row[Any]]) -> tuple[Conflict, ...]:
    return tuple(sorted((Conflict(row.node_id, row.kind, row.value) for row in rows), key=str))
