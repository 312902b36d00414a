"""The tables, as queries use them; migrations.py makes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

# SQLite numbers rows by itself only where the type is INTEGER
_NUMBER = BigInteger().with_variant(Integer, "sqlite")
_LARGEST = 2**63 - 1


class Identifier(TypeDecorator[str]):
    """The number of a row, as text, which is what a URL has. Any other text belongs to no row."""

    impl = _NUMBER
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        number = int(value) if value.isascii() and value.isdigit() and len(value) < 20 else -1
        return number if number <= _LARGEST else -1

    def process_result_value(self, value: int | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)


class Moment(TypeDecorator[datetime]):
    """A moment in UTC, with its time zone. Raises ValueError for one that has none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value}: a moment without a time zone")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        # SQLite keeps no time zone
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """A value of JSON as ASCII, so that no database refuses a character of it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


def _id() -> Column[str]:
    return Column("id", Identifier, primary_key=True)


def _node(*, nullable: bool = False) -> Column[str]:
    return Column("node_id", Identifier, ForeignKey("nodes.id", ondelete="CASCADE"), nullable=nullable)


metadata = MetaData()

versions = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

nodes = Table(
    "nodes",
    metadata,
    _id(),
    Column("uuid", Text),
    Column("serial", Text),
    Column("asset_tag", Text),
    Column("macs", Json, nullable=False),
    Column("vendor", Text),
    Column("model", Text),
    Column("port", Text),
    Column("place", Text),  # the port, written so that it sorts by its numbers
    Column("tag", Text),
    Column("status", Text),
    Column("state", Text),
    Column("status_at", Moment),
    Column("profile", Text),
    Column("reason", Text),
    Column("stage", Text),
    Column("stage_message", Text),
    Column("stage_at", Moment),
    Column("address", Text),
    Column("version", Text),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("alarm", Text),
    Column("alarm_at", Moment),
    Column("inventory_id", Identifier),
    Column("run_id", Identifier),
    Index("nodes_status", "status", "state"),
    Index("nodes_model", "model"),
    Index("nodes_port", "place", "id"),
    Index("nodes_last_seen", "last_seen"),
    Index("nodes_tag", "tag"),
    Index("nodes_asset_tag", "asset_tag"),
)

# Which node a key belongs to: one. A shared key is said by several machines, and identifies none.
keys = Table(
    "keys",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    _node(),
    Column("shared", Boolean, nullable=False),
    Index("keys_node", "node_id"),
)

boots = Table(
    "boots",
    metadata,
    _id(),
    _node(),
    Column("boot_id", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("version", Text),
    Column("profile", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("began", Moment, nullable=False),
    Column("token", Text),  # SHA-256 of the token, in hexadecimal
    Column("expires", Moment),
    Index("boots_node", "node_id", "id"),
    Index("boots_token", "token", unique=True),
)

orders = Table(
    "orders",
    metadata,
    _id(),
    _node(),
    Column("profile", Text, nullable=False),
    Column("once", Boolean, nullable=False),
    Column("destructive", Boolean, nullable=False),
    Column("operator", Text, nullable=False),
    Column("made", Moment, nullable=False),
    Column("expires", Moment),
    Column("ended", Moment),
    Column("outcome", Text),  # spent, replaced, cancelled, expired
    Index("orders_node", "node_id", "ended"),
)

inventories = Table(
    "inventories",
    metadata,
    _id(),
    _node(),
    Column("taken", Moment, nullable=False),
    Column("digest", Text, nullable=False),
    Column("proven", Boolean, nullable=False),
    Column("differences", Json, nullable=False),
    Column("document", LargeBinary, nullable=False),  # JSON, compressed by zlib
    Index("inventories_node", "node_id", "id"),
    Index("inventories_taken", "taken"),
)

runs = Table(
    "runs",
    metadata,
    _id(),
    _node(),
    Column("boot_id", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("proven", Boolean, nullable=False),
    Column("resumes", Integer, nullable=False),
    Column("began", Moment, nullable=False),
    Column("heartbeat", Moment, nullable=False),
    Column("ended", Moment),
    Column("status", Text),  # COMPLETE, ERROR, SKIP; ABANDONED where another run has taken its place
    Column("result", Text),  # PASS, FAIL, NOT_APPLICABLE
    Column("lines", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),  # characters
    Column("summary", Json, nullable=False),
    Index("runs_node", "node_id", "id"),
    Index("runs_ended", "ended"),
)

lines = Table(
    "run_lines",
    metadata,
    Column("run_id", Identifier, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("line", Text, nullable=False),
)

# the runs whose results Collins has
reports = Table(
    "reports",
    metadata,
    Column("run_id", Identifier, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("at", Moment, nullable=False),
)

# when something last happened that is not an event, by name
marks = Table(
    "marks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("at", Moment, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    _node(nullable=True),
    Column("at", Moment, nullable=False),
    Column("kind", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("data", Json, nullable=False),
    Index("events_node", "node_id", "id"),
    Index("events_at", "at"),
)
