"""Turns to write: many writers share a wait for the disk, and each keeps or undoes its own changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, event, exc

from alchemy.rack.records import events, turns
from alchemy.rack.records.database import Records, RecordsError
from tests.unit.rack.samples import NOW

PATIENCE = 30


class Writers:
    """Writers that wait behind a first one, and what the engine commits."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.commits = 0
        self.pool = ThreadPoolExecutor(16)
        self._ready, self._go = threading.Event(), threading.Event()
        event.listen(records._writing, "commit", self._count)

    def _count(self, _: Connection) -> None:
        self.commits += 1

    def write(self, name: str, after: Callable[[Connection], None] | None = None) -> None:
        """Adds an event, and does something after it in the same transaction."""
        with self.records.begin() as connection:
            events.add(connection, None, "test", name, now=NOW)
            if after is not None:
                after(connection)

    def behind(self, first: Callable[[Connection], None] | None, *others: Callable[[], None]) -> list[Future[None]]:
        """Has others wait for the turn of a first writer, and then lets all of them end."""

        def hold(connection: Connection) -> None:
            self._ready.set()
            assert self._go.wait(PATIENCE)
            if first is not None:
                first(connection)

        started = [self.pool.submit(self.write, "first", hold)]
        assert self._ready.wait(PATIENCE)
        started += [self.pool.submit(other) for other in others]
        waited = self.records._turns
        assert waited is not None
        end = time.monotonic() + PATIENCE
        while waited._waiting < len(others) and time.monotonic() < end:
            time.sleep(0.001)
        assert waited._waiting == len(others)
        self._go.set()
        return started

    def kept(self) -> list[str]:
        """The events that are in the records."""
        with self.records.reading() as connection:
            return sorted(each.message for each in events.since(connection))


@pytest.fixture
def writers(records: Records) -> Writers:
    return Writers(records)


def test_writers_that_wait_share_a_commit(writers: Writers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_LONGEST", PATIENCE)
    names = [f"other {number}" for number in range(5)]
    for each in writers.behind(None, *(lambda name=name: writers.write(name) for name in names)):
        each.result(PATIENCE)
    assert writers.kept() == ["first", *names]
    assert writers.commits == 1


def test_a_writer_goes_on_when_its_change_is_kept(writers: Writers) -> None:
    def write_and_look(name: str) -> bool:
        writers.write(name)
        return name in writers.kept()

    assert all(writers.pool.map(write_and_look, [str(number) for number in range(60)]))
    assert len(writers.kept()) == 60


def test_a_writer_alone_commits_at_once(writers: Writers) -> None:
    writers.write("alone")
    assert (writers.kept(), writers.commits) == (["alone"], 1)


def test_an_exception_undoes_its_own_changes_only(writers: Writers) -> None:
    def fail(_: Connection) -> None:
        raise LookupError("no")

    first, second, third = writers.behind(None, lambda: writers.write("second", fail), lambda: writers.write("third"))
    first.result(PATIENCE)
    third.result(PATIENCE)
    with pytest.raises(LookupError):
        second.result(PATIENCE)
    assert writers.kept() == ["first", "third"]


def test_a_commit_that_fails_keeps_nothing_of_anybody(writers: Writers) -> None:
    def full(_: Connection) -> None:
        raise exc.OperationalError("COMMIT", None, Exception("database or disk is full"))

    event.listen(writers.records._writing, "commit", full)
    started = writers.behind(None, lambda: writers.write("second"), lambda: writers.write("third"))
    for each in started:
        with pytest.raises(RecordsError, match="database: database or disk is full"):
            each.result(PATIENCE)
    event.remove(writers.records._writing, "commit", full)
    assert writers.kept() == []
    writers.write("later")
    assert writers.kept() == ["later"]


def test_a_transaction_that_the_database_undoes_is_lost_for_all_in_it(writers: Writers) -> None:
    def undo(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")
        raise LookupError("odd")

    first, second = writers.behind(None, lambda: writers.write("second", undo))
    with pytest.raises((LookupError, RecordsError)):
        second.result(PATIENCE)
    with pytest.raises(RecordsError, match="database: "):
        first.result(PATIENCE)
    assert writers.kept() == []
    writers.write("later")
    assert writers.kept() == ["later"]


def test_a_commit_that_was_left_to_one_who_gave_up_is_made(writers: Writers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_LONGEST", PATIENCE)
    waited = writers.records._turns
    assert waited is not None
    waited._waiting += 1
    started = writers.pool.submit(writers.write, "first")
    end = time.monotonic() + PATIENCE
    while (waited._group is None or waited._turn.locked()) and time.monotonic() < end:
        time.sleep(0.001)
    assert not started.done()
    waited._waiting -= 1
    started.result(PATIENCE)
    assert writers.kept() == ["first"]
