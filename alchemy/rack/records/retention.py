"""Removes old records, and a node's surplus: events, boots, orders, inventories and runs. A node stays.

A node keeps its newest inventory and the newest proven one, its newest run, and the newest one that came to a verdict:
without that it would be tested again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, delete, func, or_, select

from alchemy.rack.records import marks, orders
from alchemy.rack.records.database import Records
from alchemy.rack.records.schema import boots, events, inventories, lines, nodes, runs
from alchemy.rack.records.schema import orders as order_table

# Of one node these many are kept, whatever their age: none fills the disk.
_INVENTORIES = 200
_RUNS = 100
# of one transaction, so that nobody waits long for it
_ROWS = 200
_LINES = 10_000
# A clock that is years ahead for an hour must not cost years of records.
_STEP = timedelta(days=1)
_MARK = "retention"


@dataclass(frozen=True)
class Removed:
    """How many of each were removed."""

    events: int = 0
    boots: int = 0
    orders: int = 0
    inventories: int = 0
    runs: int = 0

    def __str__(self) -> str:
        counts = ((getattr(self, field.name), field.name) for field in fields(self))
        return ", ".join(f"{count} {name}" for count, name in counts if count) or "nothing"


def apply(records: Records, keep: timedelta, *, now: datetime) -> Removed:
    """Removes records older than `keep`, in many small transactions, and ends orders that have expired.

    What is removed reaches at most a day further than the last time, whatever the clock says. Raises RecordsError.
    """
    with records.begin() as connection:
        orders.expire(connection, now=now)
        last = marks.get(connection, _MARK)
        before = now - keep if last is None else min(now - keep, last + _STEP)
        # a clock that is years back for an hour must not hold this up for years
        marks.put(connection, _MARK, before if last is None else max(before, last))
    return Removed(
        events=_remove(records, events, events.c.at < before),
        boots=_remove(records, boots, and_(boots.c.began < before, ~boots.c.id.in_(_newest(boots)))),
        orders=_remove(records, order_table, order_table.c.ended < before),
        inventories=_remove(records, inventories, _old_inventories(before)),
        runs=_remove_runs(records, _old_runs(before)),
    )


def _old_inventories(before: datetime) -> ColumnElement[bool]:
    proven = select(nodes.c.inventory_id).where(nodes.c.inventory_id.is_not(None))
    kept = or_(inventories.c.id.in_(_newest(inventories)), inventories.c.id.in_(proven))
    removed = or_(inventories.c.taken < before, _beyond(inventories, _INVENTORIES))
    return and_(removed, ~kept)


def _old_runs(before: datetime) -> ColumnElement[bool]:
    judged = select(func.max(runs.c.id)).where(runs.c.proven, runs.c.result.is_not(None)).group_by(runs.c.node_id)
    silent = and_(runs.c.ended.is_(None), runs.c.heartbeat < before)
    removed = or_(runs.c.ended < before, silent, _beyond(runs, _RUNS))
    last = select(nodes.c.run_id).where(nodes.c.run_id.is_not(None))
    return and_(removed, ~runs.c.id.in_(last), ~runs.c.id.in_(judged))


def _beyond(table: Table, count: int) -> ColumnElement[bool]:
    """Returns the condition that a node has `count` newer rows of a table."""
    place = func.row_number().over(partition_by=table.c.node_id, order_by=table.c.id.desc()).label("place")
    ranked = select(table.c.id, place).subquery()
    return table.c.id.in_(select(ranked.c.id).where(ranked.c.place > count))


def _newest(table: Table) -> Select[Any]:
    return select(func.max(table.c.id)).group_by(table.c.node_id)


def _remove(records: Records, table: Table, condition: ColumnElement[bool]) -> int:
    return sum(_batches(records, table, condition))


def _batches(records: Records, table: Table, condition: ColumnElement[bool]) -> Iterator[int]:
    chosen = select(table.c.id).where(condition).limit(_ROWS)
    while count := _delete(records, table, table.c.id.in_(chosen)):
        yield count


def _remove_runs(records: Records, condition: ColumnElement[bool]) -> int:
    """Removes runs one by one, and first their lines, of which a run has up to a million."""
    with records.reading() as connection:
        chosen = connection.execute(select(runs.c.id).where(condition)).scalars().all()
    for run_id in chosen:
        of_run = lines.c.run_id == run_id
        some = select(lines.c.sequence).where(of_run).order_by(lines.c.sequence).limit(_LINES)
        while _delete(records, lines, and_(of_run, lines.c.sequence.in_(some))):
            pass
        _delete(records, runs, runs.c.id == run_id)
    return len(chosen)


def _delete(records: Records, table: Table, condition: ColumnElement[bool]) -> int:
    with records.begin() as connection:
        return connection.execute(delete(table).where(condition)).rowcount
