"""Orders: what an operator wants a node to boot next."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from alchemy.rack.identity import Keys
from alchemy.rack.records import nodes, orders
from alchemy.rack.records.database import Records
from tests.unit.rack.samples import HOUR, NOW, mac, node


def order(connection: Connection, known: nodes.Node, **changes: Any) -> orders.Order:
    """Makes an order; the defaults are those of the simplest one."""
    values = {
        "profile": "rescue",
        "once": True,
        "destructive": False,
        "expires": None,
        "confirm": None,
        "operator": "kim",
        "now": NOW,
        **changes,
    }
    return orders.set(connection, known, **values)


def test_a_one_shot_order_is_spent_once(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        made = order(connection, known)
        assert orders.current(connection, known.id, now=NOW) == made
        assert orders.spend(connection, made, now=NOW + HOUR)
        assert not orders.spend(connection, made, now=NOW + HOUR)
        assert orders.current(connection, known.id, now=NOW + HOUR) is None
        assert orders.history(connection, known.id) == [replace(made, ended=NOW + HOUR, outcome="spent")]


def test_an_order_that_stays(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        made = order(connection, known, once=False)
        assert orders.spend(connection, made, now=NOW)
        assert orders.spend(connection, made, now=NOW)
        assert orders.current(connection, known.id, now=NOW) == made
        assert orders.cancel(connection, known.id, now=NOW)
        assert not orders.cancel(connection, known.id, now=NOW)
        assert orders.current(connection, known.id, now=NOW) is None


def test_a_newer_order_takes_the_place(records: Records) -> None:
    with records.begin() as connection:
        known, other = node(connection), node(connection, 2)
        kept = order(connection, other)
        order(connection, known)
        second = order(connection, known, profile="burnin")
        assert orders.current(connection, known.id, now=NOW) == second
        assert [each.outcome for each in orders.history(connection, known.id)] == [None, "replaced"]
        assert orders.current(connection, other.id, now=NOW) == kept


@pytest.mark.parametrize(
    ("at", "counts"),
    [
        (NOW, True),
        (NOW + HOUR - timedelta(microseconds=1), True),
        (NOW + HOUR, False),
        (NOW - timedelta(microseconds=1), False),  # the clock was set back
        (NOW - timedelta(days=9000), False),
    ],
)
def test_when_an_order_counts(records: Records, at: datetime, counts: bool) -> None:
    with records.begin() as connection:
        known = node(connection)
        order(connection, known, expires=NOW + HOUR)
        assert (orders.current(connection, known.id, now=at) is not None) is counts


def test_a_clock_that_is_set_back_revives_no_order(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        order(connection, known, expires=NOW + HOUR)
        assert orders.expire(connection, now=NOW + HOUR - timedelta(seconds=1)) == 0
        assert orders.expire(connection, now=NOW + HOUR) == 1
        assert orders.current(connection, known.id, now=NOW) is None
        assert orders.history(connection, known.id)[0].outcome == "expired"


SERIAL = "confirm: not the serial of the node, which the destructive profile wipe needs"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"expires": NOW}, "expires: in the past"),
        ({"expires": NOW - HOUR}, "expires: in the past"),
        (
            {"destructive": True, "profile": "wipe", "confirm": "S-1"},
            "expires: missing (expected a time, as the profile wipe is destructive)",
        ),
        ({"destructive": True, "profile": "wipe", "expires": NOW + HOUR}, SERIAL),
        ({"destructive": True, "profile": "wipe", "expires": NOW + HOUR, "confirm": ""}, SERIAL),
        ({"destructive": True, "profile": "wipe", "expires": NOW + HOUR, "confirm": "s-1"}, SERIAL),
        ({"destructive": True, "profile": "wipe", "expires": NOW + HOUR, "confirm": "S-2"}, SERIAL),
    ],
)
def test_an_order_that_is_refused_changes_nothing(records: Records, changes: dict[str, Any], message: str) -> None:
    with records.begin() as connection:
        known = node(connection)
        before = order(connection, known)
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            order(connection, known, **changes)
        assert orders.current(connection, known.id, now=NOW) == before


def test_a_destructive_order(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        made = order(connection, known, profile="wipe", destructive=True, expires=NOW + HOUR, confirm="S-1")
        assert orders.current(connection, known.id, now=NOW) == made


def test_a_machine_without_a_serial_gets_no_destructive_order(records: Records) -> None:
    with records.begin() as connection:
        known = nodes.create(connection, Keys(macs=(mac(1),)), now=NOW)
        for confirm in (None, ""):
            with pytest.raises(ValueError, match="the node has no serial"):
                order(connection, known, profile="wipe", destructive=True, expires=NOW + HOUR, confirm=confirm)
