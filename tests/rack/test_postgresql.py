"""The records on PostgreSQL: the unit tests of SQLite's again, and what only a server can do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest
import sqlalchemy

from alchemy.rack.records import boots, nodes, orders
from alchemy.rack.records.database import Records, RecordsError
from alchemy.rack.records.nodes import Match
from tests.rack import postgresql
from tests.rack.postgresql import Cluster
from tests.unit.rack import (
    test_boots,
    test_database,
    test_events,
    test_inventories,
    test_listing,
    test_migrations,
    test_nodes,
    test_orders,
    test_pages_changes,
    test_retention,
    test_runs,
    test_service_boots,
    test_service_calls,
    test_service_limits,
    test_service_operators,
    test_service_scripts,
)
from tests.unit.rack.conftest import filled as filled
from tests.unit.rack.conftest import operator as operator
from tests.unit.rack.conftest import rig as rig
from tests.unit.rack.rigs import Rig, bearer
from tests.unit.rack.samples import ADDRESS, HOUR, NOW, boot, keys, node
from tests.unit.rack.test_listing import rack as rack
from tests.unit.rack.test_service_operators import operated as operated

_WHOLE = (
    test_boots, test_events, test_inventories, test_listing, test_nodes, test_orders, test_pages_changes,
    test_retention, test_runs, test_service_boots, test_service_operators,
)  # fmt: skip
_SOME: dict[ModuleType, tuple[str, ...]] = {
    test_database: (
        "test_an_exception_undoes_the_transaction",
        "test_a_writer_holds_up_no_reader",
        "test_writers_take_turns",
        "test_rows_of_a_node_go_with_it",
    ),
    test_migrations: (
        "test_the_steps_make_what_the_queries_use",
        "test_steps_are_applied_once_and_in_order",
        "test_a_step_that_fails_leaves_the_schema_as_it_was",
    ),
    test_service_calls: (
        "test_inventories_are_kept_beside_each_other",
        "test_an_event_says_where_a_node_is",
        "test_a_run_from_its_beginning_to_its_end",
        "test_lines_come_in_pages",
    ),
    test_service_limits: ("test_metrics",),
    test_service_scripts: ("test_gets_write_nothing",),
}


def _shared() -> Iterator[tuple[str, Callable[..., None]]]:
    """Yields the tests that both databases have to pass, under a name that begins with their module's."""
    chosen = {module: tuple(vars(module)) for module in _WHOLE} | _SOME
    for module, names in chosen.items():
        for name in names:
            if name.startswith("test_"):
                yield f"{module.__name__.rpartition('.')[2]}__{name.removeprefix('test_')}", vars(module)[name]


globals().update(_shared())


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A server, for the tests of this file."""
    with postgresql.cluster() as server:
        yield server


@pytest.fixture
def url(cluster: Cluster) -> str:
    """The URL of an empty database."""
    engine = sqlalchemy.create_engine(cluster.url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
    return cluster.url


@pytest.fixture
def records(url: str) -> Iterator[Records]:
    """Empty records."""
    opened = Records.open(url)
    yield opened
    opened.close()


def test_the_service_answers_503_while_the_server_is_away(rig: Rig, cluster: Cluster) -> None:
    client = rig.client()
    assert client.get("/healthz").status_code == 200
    session = rig.session()
    report = {"url": f"/v1/nodes/{session['node']}/events", "json": {"stage": "system"}, "headers": bearer(session)}
    cluster.stop()
    try:
        for answer in (client.get("/healthz"), client.post(**report), rig.boot()):
            assert answer.status_code == 503
            assert answer.json()["error"].startswith("database: ")
            assert "Retry-After" in answer.headers
    finally:
        cluster.start()
    assert client.get("/healthz").status_code == 200
    assert client.post(**report).status_code == 201


def test_a_server_that_goes_away_and_comes_back(records: Records, cluster: Cluster) -> None:
    with records.begin() as connection:
        known = node(connection)
    cluster.stop()
    try:
        for attempt in (records.begin, records.reading):
            with pytest.raises(RecordsError, match=r"^database: "), attempt() as connection:
                nodes.get(connection, known.id)
    finally:
        cluster.start()
    with records.reading() as connection:
        assert nodes.get(connection, known.id) == known
    with records.begin() as connection:
        nodes.update(connection, known.id, stage="system")


def test_a_server_that_goes_away_in_a_transaction(records: Records, cluster: Cluster) -> None:
    def crash(connection: sqlalchemy.Connection) -> None:
        node(connection)
        cluster.stop()
        node(connection, 2)

    try:
        with pytest.raises(RecordsError, match=r"^database: "), records.begin() as connection:
            crash(connection)
    finally:
        cluster.start()
    with records.reading() as connection:
        assert nodes.match(connection, keys(1)) == Match(None)


def test_instances_that_start_at_once(url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: Records.open(url), range(4)))
    for number, records in enumerate(opened):
        with records.begin() as connection:
            node(connection, number)
        records.close()


def test_a_reader_cannot_write(records: Records) -> None:
    said = r"^database: cannot execute INSERT in a read-only transaction"
    with pytest.raises(RecordsError, match=said), records.reading() as connection:
        node(connection)
    with records.begin() as connection:
        node(connection)


def _race(records: Records, count: int, call: Callable[[sqlalchemy.Connection, int], object]) -> list[object]:
    """Returns what calls in transactions that begin at once return, or the exception of each."""
    barrier = threading.Barrier(count)

    def run(number: int) -> object:
        try:
            with records.begin() as connection:
                barrier.wait()
                return call(connection, number)
        except (RecordsError, boots.TokenHeldError) as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_of_two_addresses_at_once_one_gets_the_token(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
    found = _race(records, 6, lambda connection, number: boot(connection, known.id, address=f"192.0.2.{number}"))
    assert sorted(type(each).__name__ for each in found) == ["TokenHeldError"] * 5 + ["str"]


def test_an_order_is_spent_by_one(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        order = orders.set(
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
    found = _race(records, 6, lambda connection, _: orders.spend(connection, order, now=NOW))
    assert sorted(map(str, found)) == ["False"] * 5 + ["True"]


def test_of_two_machines_with_one_key_one_is_added(records: Records) -> None:
    found = _race(records, 6, lambda connection, _: nodes.create(connection, keys(), now=NOW))
    added = [each for each in found if isinstance(each, nodes.Node)]
    assert len(added) == 1
    assert all(isinstance(each, RecordsError) for each in found if each not in added)
    with records.reading() as connection:
        assert nodes.match(connection, keys()) == Match(added[0])


def test_the_token_of_a_boot_lives_on_after_a_restart(url: str, cluster: Cluster) -> None:
    before = Records.open(url)
    with before.begin() as connection:
        known = node(connection)
        token = boot(connection, known.id, address=ADDRESS)
    before.close()
    cluster.stop()
    cluster.start()
    after = Records.open(url)
    with after.reading() as connection:
        assert token is not None
        assert boots.authenticate(connection, token, known.id, now=NOW) is not None
    after.close()
