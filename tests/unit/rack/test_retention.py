"""What is removed by age, and what a node keeps."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from alchemy.rack.records import boots, events, inventories, nodes, orders, retention, runs
from alchemy.rack.records.database import Records
from alchemy.rack.records.retention import Removed
from alchemy.rack.records.schema import lines
from tests.unit.rack.samples import DAY, FAIL, HOUR, NOW, PASS, boot, node, numbered, run

KEEP = 90 * DAY
LATER = NOW + KEEP + HOUR


def test_a_node_keeps_what_it_is_judged_by(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        for number, end in enumerate((PASS, FAIL, PASS, None, None)):
            begun = run(connection, known.id, f"b{number}")
            runs.append(connection, begun.id, [] if end is None else numbered(end), now=NOW)
        for proven in (True, True, False, False):
            document = {"alchemy": {"schema": 1}, "number": len(inventories.history(connection, known.id))}
            inventories.add(connection, known, document, proven=proven, now=NOW)
        for number in range(3):
            boot(connection, known.id, f"b{number}")
            events.add(connection, known.id, "boot", str(number), now=NOW)
        before = runs.passed(connection, known.id)
    assert retention.apply(records, KEEP, now=LATER) == Removed(events=3, boots=2, orders=0, inventories=2, runs=3)
    assert retention.apply(records, KEEP, now=LATER) == Removed()
    with records.reading() as connection:
        assert [(each.proven) for each in inventories.history(connection, known.id)] == [False, True]
        found = nodes.get(connection, known.id)
        assert found is not None
        assert inventories.read(connection, found.inventory_id or "") == {"alchemy": {"schema": 1}, "number": 1}
        assert runs.passed(connection, known.id) == before
        assert [each.result for each in runs.history(connection, known.id)] == [None, "PASS"]
        assert (boots.latest(connection, known.id) or pytest.fail("no boot")).boot_id == "b2"
        assert connection.execute(select(func.count()).select_from(lines)).scalar_one() == 1


def test_what_is_young_stays(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        for _ in range(2):
            events.add(connection, known.id, "boot", "local", now=NOW)
            runs.append(connection, run(connection, known.id).id, numbered(PASS), now=NOW)
    assert retention.apply(records, KEEP, now=NOW + KEEP) == Removed()


def test_a_node_fills_no_disk(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_INVENTORIES", 3)
    monkeypatch.setattr(retention, "_RUNS", 2)
    with records.begin() as connection:
        greedy, other = node(connection), node(connection, 2)
        for each, count in ((greedy, 7), (other, 2)):
            for number in range(count):
                inventories.add(connection, each, {"number": number}, proven=True, now=NOW)
                # the first passes, and the others come to no verdict
                begun = run(connection, each.id, f"b{number}")
                runs.append(connection, begun.id, numbered(PASS) if number == 0 else [], now=NOW)
    assert retention.apply(records, KEEP, now=NOW) == Removed(inventories=4, runs=4)
    with records.reading() as connection:
        kept = inventories.history(connection, greedy.id)
        assert [inventories.read(connection, each.id) for each in kept] == [{"number": 6}, {"number": 5}, {"number": 4}]
        assert [each.boot_id for each in runs.history(connection, greedy.id)] == ["b6", "b5", "b0"]
        assert len(inventories.history(connection, other.id)) == 2
        assert len(runs.history(connection, other.id)) == 2


def test_the_lines_of_a_run_are_removed_in_several_transactions(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_LINES", 3)
    with records.begin() as connection:
        known = node(connection)
        old, young = (run(connection, known.id, boot_id).id for boot_id in ("b1", "b2"))
        for each in (old, young):
            runs.append(connection, each, numbered(*[{"testRunArtifact": {}}] * 8), now=NOW)
    assert retention.apply(records, KEEP, now=LATER) == Removed(runs=1)
    with records.reading() as connection:
        assert [runs.get(connection, old), runs.lines(connection, old)] == [None, []]
        assert len(runs.lines(connection, young)) == 8


def test_many_rows_are_removed_in_several_transactions(records: Records) -> None:
    with records.begin() as connection:
        for _ in range(450):
            events.add(connection, None, "stage", "system", now=NOW)
    assert retention.apply(records, KEEP, now=LATER).events == 450


def test_expired_orders_are_ended_and_old_ones_removed(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        orders.set(
            connection,
            known,
            "rescue",
            once=True,
            destructive=False,
            expires=NOW + HOUR,
            confirm=None,
            operator="kim",
            now=NOW,
        )
    assert retention.apply(records, KEEP, now=NOW + 2 * HOUR) == Removed()
    with records.reading() as connection:
        assert [order.outcome for order in orders.history(connection, known.id)] == ["expired"]
    for day in range(1, 93):
        retention.apply(records, KEEP, now=NOW + day * DAY)
    with records.reading() as connection:
        assert orders.history(connection, known.id) == []


@pytest.mark.parametrize(
    ("times", "left"),
    [
        ((NOW,), [1, 2, 3]),
        # the clock is decades ahead, and is set right again
        ((NOW, NOW + 9000 * DAY), [2, 3]),
        ((NOW, NOW + 9000 * DAY, NOW), [2, 3]),
        ((NOW, NOW + 9000 * DAY, NOW + 9000 * DAY), [3]),
        # the clock is decades back, and is set right again
        ((NOW, NOW - 9000 * DAY), [1, 2, 3]),
        ((NOW, NOW - 9000 * DAY, NOW + DAY), [2, 3]),
    ],
)
def test_a_clock_that_is_ahead_costs_a_day(records: Records, times: tuple[datetime, ...], left: list[int]) -> None:
    oldest = NOW - KEEP
    with records.begin() as connection:
        for number in (1, 2, 3):
            moment = oldest + (number - 1) * DAY + timedelta(minutes=1)
            events.add(connection, None, "stage", str(number), now=moment)
    for now in times:
        retention.apply(records, KEEP, now=now)
    with records.reading() as connection:
        assert [int(event.message) for event in events.since(connection)] == left


@pytest.mark.parametrize(
    ("removed", "said"),
    [
        (Removed(), "nothing"),
        (Removed(events=3, runs=1), "3 events, 1 runs"),
        (Removed(inventories=2), "2 inventories"),
    ],
)
def test_how_it_is_said(removed: Removed, said: str) -> None:
    assert str(removed) == said
