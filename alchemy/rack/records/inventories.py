"""Inventories: what a node was made of, each time that it said so."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from alchemy.rack.records import facts, nodes
from alchemy.rack.records.differences import compare
from alchemy.rack.records.nodes import Node
from alchemy.rack.records.schema import inventories

_COLUMNS = tuple(column for column in inventories.c if column.name != "document")


@dataclass(frozen=True)
class Inventory:
    """An inventory without its document. `differences` to the last proven one are sentences for a technician.

    `proven`: it came with a token.
    """

    id: str
    node_id: str
    taken: datetime
    digest: str
    proven: bool
    differences: tuple[str, ...]


def add(connection: Connection, node: Node, document: Mapping[str, Any], *, proven: bool, now: datetime) -> Inventory:
    """Keeps a document beside the earlier ones, with what differs from the last that was proven.

    Where it is proven itself, the node gets its facts. A document that is the last one again is not kept twice; its
    record is returned.
    """
    data = json.dumps(document, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.sha256(data).hexdigest()
    nodes.lock(connection, node.id)
    before = last(connection, node.id)
    if before is not None and before.digest == digest and before.proven == proven:
        return before
    known = nodes.get(connection, node.id) or node
    earlier = None if known.inventory_id is None else read(connection, known.inventory_id)
    row = {
        "node_id": node.id,
        "taken": now,
        "digest": digest,
        "proven": proven,
        "differences": [] if earlier is None else compare(earlier, document),
    }
    inserted = inventories.insert().values(**row, document=zlib.compress(data, 1)).returning(inventories.c.id)
    identifier = connection.execute(inserted).scalar_one()
    if proven:
        nodes.update(connection, node.id, inventory_id=identifier, **facts.find(document))
    return _inventory({"id": identifier, **row})


def last(connection: Connection, node_id: str) -> Inventory | None:
    """Returns the newest inventory of a node."""
    return next(iter(history(connection, node_id, limit=1)), None)


def get(connection: Connection, inventory_id: str) -> Inventory | None:
    """Returns an inventory by its id."""
    row = connection.execute(select(*_COLUMNS).where(inventories.c.id == inventory_id)).mappings().one_or_none()
    return None if row is None else _inventory(dict(row))


def history(connection: Connection, node_id: str, *, limit: int = 50) -> list[Inventory]:
    """Returns the inventories of a node, the newest first."""
    query = select(*_COLUMNS).where(inventories.c.node_id == node_id).order_by(inventories.c.id.desc()).limit(limit)
    return [_inventory(dict(row)) for row in connection.execute(query).mappings()]


def read(connection: Connection, inventory_id: str) -> dict[str, Any] | None:
    """Returns the document of an inventory."""
    data = connection.execute(select(inventories.c.document).where(inventories.c.id == inventory_id)).scalar()
    if data is None:
        return None
    document: dict[str, Any] = json.loads(zlib.decompress(data))
    return document


def _inventory(row: Mapping[str, Any]) -> Inventory:
    return Inventory(**{**row, "differences": tuple(row["differences"])})
