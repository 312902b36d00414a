"""The list of nodes: filters, pages, order."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from alchemy.rack.records import listing, nodes, runs
from alchemy.rack.records.database import Records
from alchemy.rack.records.listing import Filters
from tests.unit.rack.samples import FAIL, HOUR, NOW, PASS, node, numbered, run

SPOILT = {"testRunArtifact": {"testRunEnd": {"status": "ERROR", "result": "NOT_APPLICABLE"}}}


@pytest.fixture
def rack(records: Records) -> Records:
    """Six nodes: S-1 passed, S-2 failed, S-3 runs, S-4 runs silently, S-5 could not be tested, S-6 is new."""
    with records.begin() as connection:
        known = [node(connection, number) for number in range(1, 7)]
        for each, end in zip(known, (PASS, FAIL, None, None, SPOILT), strict=False):
            begun = run(connection, each.id)
            runs.append(connection, begun.id, [] if end is None else numbered(end), now=NOW)
        for number, each in enumerate(known[:5]):
            nodes.update(connection, each.id, vendor="Maker", model=f"Box {number % 2}", last_seen=NOW)
        nodes.update(connection, known[3].id, last_seen=NOW - HOUR)
        nodes.update(
            connection, known[0].id, status="Maintenance", state="HW_TESTING", tag="T_100%", address="192.0.2.9"
        )
        nodes.update(connection, known[1].id, status="New", alarm="two machines", port="tor-2 Ethernet1/1")
        nodes.update(connection, known[2].id, status="New", port="tor-1 Ethernet1/2")
    return records


def _serials(connection: Connection, filters: Filters, offset: int = 0, limit: int = 100) -> list[str | None]:
    return [each.node.keys.serial for each in listing.search(connection, filters, offset=offset, limit=limit).nodes]


@pytest.mark.parametrize(
    ("filters", "serials"),
    [
        (Filters(), ["S-3", "S-2", "S-1", "S-4", "S-5", "S-6"]),
        (Filters(failed=True), ["S-2", "S-5"]),
        (Filters(running=True), ["S-3", "S-4"]),
        (Filters(silent_since=NOW - timedelta(minutes=5)), ["S-4"]),
        (Filters(alarm=True), ["S-2"]),
        (Filters(model="box 1"), ["S-2", "S-4"]),
        (Filters(vendor="MAKER"), ["S-3", "S-2", "S-1", "S-4", "S-5"]),
        (Filters(status="new"), ["S-3", "S-2"]),
        (Filters(status="Maintenance", state="HW_TESTING"), ["S-1"]),
        (Filters(status="New", failed=True), ["S-2"]),
        (Filters(status="New", state="HW_TESTING"), []),
        (Filters(text="s-4"), ["S-4"]),
        (Filters(text="52:54:00:00:00:05"), ["S-5"]),
        (Filters(text="TOR-1"), ["S-3"]),
        (Filters(text="192.0.2.9"), ["S-1"]),
        (Filters(text="_100%"), ["S-1"]),
        (Filters(text="%"), ["S-1"]),
        (Filters(text="' OR 1=1 --"), []),
        (Filters(text="8d1c1f34-5c2b-4a55-9d0e-000000000006"), ["S-6"]),
        (Filters(text="", model="", status=""), ["S-3", "S-2", "S-1", "S-4", "S-5", "S-6"]),
    ],
)
def test_what_is_listed(rack: Records, filters: Filters, serials: list[str]) -> None:
    with rack.reading() as connection:
        assert _serials(connection, filters) == serials
        assert listing.search(connection, filters, limit=1).total == len(serials)


def test_a_node_is_listed_with_its_last_run(rack: Records) -> None:
    with rack.reading() as connection:
        found = listing.search(connection, Filters(text="S-2")).nodes
        assert [(each.node.keys.serial, each.run and each.run.result) for each in found] == [("S-2", "FAIL")]
        assert listing.search(connection, Filters(text="S-6")).nodes[0].run is None


def test_the_pages_of_a_list_are_the_list(rack: Records) -> None:
    with rack.reading() as connection:
        whole = _serials(connection, Filters())
        assert [
            serial for at in range(0, 8, 2) for serial in _serials(connection, Filters(), offset=at, limit=2)
        ] == whole


def test_the_choices_of_a_filter(rack: Records) -> None:
    with rack.reading() as connection:
        assert listing.values(connection, "model") == ["Box 0", "Box 1"]
        assert listing.values(connection, "status") == ["Maintenance", "New"]
        assert listing.values(connection, "model", limit=1) == ["Box 0"]


def test_ports_are_in_the_order_of_their_numbers(records: Records) -> None:
    ports = ["tor-1 Ethernet1/2", "tor-1 Ethernet1/10", "tor-2 Ethernet1/1", "tor-10 Ethernet1/1"]
    with records.begin() as connection:
        for number, port in enumerate(reversed(ports)):
            nodes.update(connection, node(connection, number).id, port=port)
        node(connection, 9)
        for descending in (False, True):
            found = listing.search(connection, Filters(), descending=descending).nodes
            expected = [*(reversed(ports) if descending else ports), None]
            assert [each.node.port for each in found] == expected


def test_nodes_are_counted_by_what_concerns_a_person(rack: Records) -> None:
    with rack.reading() as connection:
        tally = listing.tally(connection, NOW - timedelta(minutes=5))
    assert tally == {"all": 6, "failed": 2, "silent": 1, "running": 2, "alarm": 1}
