"""What every boot and every page asks reads an index, and not a whole table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event

from alchemy.rack.identity import Keys
from alchemy.rack.records import boots, events, inventories, listing, managed, nodes, orders, runs
from alchemy.rack.records.database import Records
from alchemy.rack.records.listing import Filters
from tests.unit.rack.samples import NOW, keys, mac, node, numbered, run, step

Call = Callable[[Connection], object]
CALLS: dict[str, Call] = {
    "match": lambda connection: nodes.match(connection, keys()),
    "match of many ports": lambda connection: nodes.match(connection, Keys(macs=tuple(map(mac, range(500))))),
    "concerned": lambda connection: managed.concerned(connection, keys()),
    "node": lambda connection: nodes.get(connection, "1"),
    "token": lambda connection: boots.authenticate(connection, "x", "1", now=NOW),
    "boot": lambda connection: boots.of(connection, "1", "b1"),
    "order": lambda connection: orders.current(connection, "1", now=NOW),
    "open run": lambda connection: runs.open_of(connection, "1"),
    "verdict": lambda connection: runs.passed(connection, "1"),
    "lines": lambda connection: runs.lines(connection, "1", first=3),
    "append": lambda connection: runs.append(connection, "1", numbered(step("0")), now=NOW),
    "inventory": lambda connection: inventories.last(connection, "1"),
    "events": lambda connection: events.since(connection, 3),
    "events of a node": lambda connection: events.latest(connection, node_id="1"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_no_table_is_read_whole(records: Records, call: Call) -> None:
    plans = _plans(records, call)
    assert plans
    assert [plan for plan in plans if plan.startswith("SCAN") and "CONSTANT" not in plan] == []


def test_the_list_is_read_in_its_order(records: Records) -> None:
    plans = _plans(records, lambda connection: listing.search(connection, Filters()))
    assert "SCAN nodes USING INDEX nodes_port" in plans
    assert not any("TEMP B-TREE" in plan for plan in plans)


def _plans(records: Records, call: Call) -> list[str]:
    """Returns how SQLite goes about the statements of a call."""
    statements: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: Any, ___: object, many: bool) -> None:
        if not many and not statement.startswith("INSERT"):
            statements.append((statement, parameters))

    with records.begin() as connection:
        run(connection, node(connection).id)
        event.listen(connection, "before_cursor_execute", note)
        call(connection)
        event.remove(connection, "before_cursor_execute", note)
        return [
            row[3]
            for statement, parameters in statements
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
