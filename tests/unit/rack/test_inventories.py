"""Inventories: kept one beside the other, with what differs."""

from __future__ import annotations

from typing import Any

import pytest

from alchemy.rack.records import inventories, nodes
from alchemy.rack.records.database import Records
from tests.unit.rack.samples import HOUR, NOW, node


def document(**alchemy: Any) -> dict[str, Any]:
    """Returns an inventory document."""
    system = {"manufacturer": "Maker", "product": "Box 2"}
    return {"inventory": {}, "alchemy": {"schema": 1, "system": system, **alchemy}}


DIMMS = [{"locator": "A1", "size": 1 << 34, "serial": "D1"}, {"locator": "A2", "size": 1 << 34, "serial": "D2"}]


def test_the_second_inventory_says_what_differs(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        first = inventories.add(connection, known, document(dimms=DIMMS), proven=True, now=NOW)
        second = inventories.add(connection, known, document(dimms=DIMMS[:1]), proven=True, now=NOW + HOUR)
        assert first.differences == ()
        assert second.differences == ("DIMM A2: gone (16 GiB, serial D2)",)
        assert inventories.history(connection, known.id) == [second, first]
        assert inventories.last(connection, known.id) == second
        assert inventories.get(connection, second.id) == second
        assert inventories.read(connection, first.id) == document(dimms=DIMMS)
        assert inventories.read(connection, second.id) == document(dimms=DIMMS[:1])
        found = nodes.get(connection, known.id)
        assert found is not None
        assert found.inventory_id == second.id


def test_the_same_document_twice_is_one_record(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        first = inventories.add(connection, known, document(dimms=DIMMS), proven=True, now=NOW)
        turned = dict(reversed(document(dimms=DIMMS).items()))
        assert inventories.add(connection, known, turned, proven=True, now=NOW + HOUR) == first
        assert inventories.history(connection, known.id) == [first]
        inventories.add(connection, known, document(), proven=True, now=NOW)
        inventories.add(connection, known, document(dimms=DIMMS), proven=True, now=NOW)
        assert len(inventories.history(connection, known.id)) == 3


def test_a_document_that_is_proven_later_is_a_record_of_its_own(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        inventories.add(connection, known, document(), proven=False, now=NOW)
        inventories.add(connection, known, document(), proven=True, now=NOW)
        assert [each.proven for each in inventories.history(connection, known.id)] == [True, False]


def test_an_unproven_inventory_moves_nothing(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        inventories.add(connection, known, document(), proven=False, now=NOW)
        assert nodes.get(connection, known.id) == known


PORT = {"neighbours": [{"system_name": "tor-7", "port_id": "Ethernet1/12"}]}


@pytest.mark.parametrize(
    ("written", "facts"),
    [
        ({"inventory": {}, "alchemy": {"schema": 1}}, (None, None, None)),
        ({}, (None, None, None)),
        ({"alchemy": []}, (None, None, None)),
        (document(), ("Maker", "Box 2", None)),
        (
            {"inventory": {"system_vendor": {"manufacturer": "Maker", "product_name": "Box 3"}}},
            ("Maker", "Box 3", None),
        ),
        (document(nics=[{"name": "eth0"}, PORT]), ("Maker", "Box 2", "tor-7 Ethernet1/12")),
        (document(nics=[{"neighbours": [{"chassis_id": "c1", "port_id": "7"}]}]), ("Maker", "Box 2", "c1 7")),
        (document(nics=[{"neighbours": [{"system_name": "tor-7"}]}]), ("Maker", "Box 2", None)),
        (document(nics="eth0"), ("Maker", "Box 2", None)),
        (document(system={"manufacturer": "\x1b[2J<b>", "product": "B" * 999}), ("\ufffd[2J<b>", "B" * 200, None)),
        (document(system={"manufacturer": "\ud800", "product": 7}), ("\ufffd", None, None)),
    ],
)
def test_what_the_list_shows_of_it(
    records: Records, written: dict[str, Any], facts: tuple[str | None, str | None, str | None]
) -> None:
    with records.begin() as connection:
        known = node(connection)
        inventories.add(connection, known, written, proven=True, now=NOW)
        found = nodes.get(connection, known.id)
        assert found is not None
        assert (found.vendor, found.model, found.port) == facts


def test_a_later_inventory_without_a_neighbour_keeps_the_port(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        inventories.add(connection, known, document(nics=[PORT]), proven=True, now=NOW)
        inventories.add(connection, known, document(nics=[]), proven=True, now=NOW)
        found = nodes.get(connection, known.id)
        assert found is not None
        assert found.port == "tor-7 Ethernet1/12"


@pytest.mark.parametrize("identifier", ["7", "none", ""])
def test_an_inventory_that_is_none(records: Records, identifier: str) -> None:
    with records.reading() as connection:
        assert inventories.get(connection, identifier) is None
        assert inventories.read(connection, identifier) is None
        assert inventories.last(connection, identifier) is None
