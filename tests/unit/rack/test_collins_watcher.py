from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alchemy.rack.collins.client import Client, CollinsError
from alchemy.rack.collins.watcher import Watcher
from alchemy.rack.identity import Keys
from alchemy.rack.records import events, nodes
from alchemy.rack.records.database import Records
from tests import collins
from tests.collins_parsers import Hardware
from tests.unit.rack.collins_settings import settings

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
KEYS = Keys(serial="S1", asset_tag="R1-07", macs=("52:54:00:12:34:56",))
PATIENCE = 30


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def server() -> Iterator[collins.Collins]:
    with collins.serving(collins.Collins()) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watcher(server: collins.Collins, records: Records, tmp_path: Path, clock: Clock) -> Watcher:
    return Watcher(Client(settings(tmp_path, server.url)), records, 5, clock)


@pytest.fixture
def node(records: Records) -> str:
    with records.begin() as connection:
        return nodes.create(connection, KEYS, now=NOW).id


def standing(records: Records, node: str) -> tuple[str | None, str | None, str | None, datetime | None]:
    with records.reading() as connection:
        found = nodes.get(connection, node)
    assert found is not None
    return found.tag, found.status, found.state, found.status_at


def said(records: Records, node: str) -> list[str]:
    with records.reading() as connection:
        return [event.message for event in events.since(connection, node_id=node) if event.kind == "collins"]


def test_a_poll_notes_what_has_changed_and_when(
    server: collins.Collins, watcher: Watcher, records: Records, node: str, clock: Clock
) -> None:
    assert watcher.answered() is None
    server.assets["R1-07"] = collins.Asset("New")
    watcher.refresh()
    assert standing(records, node) == ("R1-07", "New", None, NOW)
    clock.now += timedelta(minutes=1)
    watcher.refresh()
    # nothing has changed since
    assert standing(records, node) == ("R1-07", "New", None, NOW)
    assert watcher.answered() == clock.now
    server.assets["R1-07"].status, server.assets["R1-07"].state = "Maintenance", "HW_TESTING"
    watcher.refresh()
    assert standing(records, node) == ("R1-07", "Maintenance", "HW_TESTING", clock.now)
    assert said(records, node) == ["unknown to Collins -> New", "New -> Maintenance/HW_TESTING"]


def test_the_last_answer_stays_while_collins_is_down(
    server: collins.Collins, watcher: Watcher, records: Records, node: str, clock: Clock
) -> None:
    server.assets["R1-07"] = collins.Asset("Allocated")
    watcher.refresh()
    clock.now += timedelta(hours=2)
    server.faults = [500]
    with pytest.raises(CollinsError):
        watcher.refresh()
    assert standing(records, node) == ("R1-07", "Allocated", None, NOW)
    assert watcher.answered() == NOW
    found = watcher.find(KEYS)
    assert found is not None
    assert found.status == "Allocated"


def test_the_last_answer_is_remembered_after_a_restart(
    server: collins.Collins, watcher: Watcher, records: Records, tmp_path: Path, clock: Clock
) -> None:
    assert watcher.remembered() is None
    watcher.refresh()
    clock.now += timedelta(minutes=1)
    started = Watcher(Client(settings(tmp_path, server.url)), records, 5, clock)
    assert (started.answered(), started.remembered()) == (None, NOW)
    started.refresh()
    assert (started.answered(), started.remembered()) == (clock.now, clock.now)


def test_a_bug_does_not_end_the_polls(
    server: collins.Collins, watcher: Watcher, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    polled = threading.Event()

    def refresh() -> None:
        if "a bug" in caplog.text:
            polled.set()
        raise LookupError("odd")

    monkeypatch.setattr(watcher, "refresh", refresh)
    monkeypatch.setattr(watcher, "_poll", 0.01)
    watcher.start()
    assert polled.wait(PATIENCE)
    watcher.stop()


def test_an_asset_that_is_gone_is_unknown(
    server: collins.Collins, watcher: Watcher, records: Records, node: str
) -> None:
    server.assets["R1-07"] = collins.Asset("New")
    watcher.refresh()
    del server.assets["R1-07"]
    watcher.refresh()
    assert standing(records, node)[:2] == (None, None)
    assert watcher.find(KEYS) is None


def test_an_asset_that_slips_between_two_pages_stays(
    server: collins.Collins, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.assets = {"R1-07": collins.Asset("New"), "R1-08": collins.Asset("New")}
    watcher.refresh()
    whole = Client.servers
    monkeypatch.setattr(Client, "servers", lambda self: [one for one in whole(self) if one.tag != "R1-07"])
    watcher.refresh()
    assert watcher.find(KEYS) is not None


def test_an_asset_is_the_machine_by_its_serial_number(
    server: collins.Collins, watcher: Watcher, records: Records, node: str
) -> None:
    server.assets["other"] = collins.Asset("Provisioned", hardware=Hardware(serial="S1"))
    watcher.refresh()
    assert standing(records, node)[:2] == ("other", "Provisioned")


def test_an_event_counts_at_once(server: collins.Collins, watcher: Watcher, records: Records, node: str) -> None:
    server.assets["R1-07"] = collins.Asset("New")
    watcher.refresh()
    server.move("R1-07", "Maintenance", "HW_TESTING")
    watcher.take(server.events[-1])
    assert standing(records, node)[:3] == ("R1-07", "Maintenance", "HW_TESTING")
    server.delete("R1-07")
    watcher.take(server.events[-1])
    assert standing(records, node)[:2] == (None, None)


@pytest.mark.parametrize("event", ["", "{", "[]", '{"data": 1}', '{"data": {"ASSET": {"TAG": "a/b"}}}', "[" * 100000])
def test_an_event_that_is_none_is_ignored(watcher: Watcher, event: str) -> None:
    watcher.take(event)
    assert watcher.answered() is None


def test_it_follows_by_itself_until_it_is_stopped(
    server: collins.Collins, watcher: Watcher, records: Records, node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.assets["R1-07"] = collins.Asset("New")
    polled, heard = threading.Event(), threading.Event()
    refresh, take = watcher.refresh, watcher.take

    def refresh_and_tell() -> None:
        refresh()
        polled.set()

    def take_and_tell(event: str) -> None:
        take(event)
        heard.set()

    monkeypatch.setattr(watcher, "refresh", refresh_and_tell)
    monkeypatch.setattr(watcher, "take", take_and_tell)
    watcher.start()
    assert polled.wait(PATIENCE)
    assert standing(records, node)[:2] == ("R1-07", "New")
    # until the connection to the firehose is there, an event is lost: the next poll has it
    for _ in range(PATIENCE * 10):
        server.move("R1-07", "Maintenance", "HW_TESTING")
        if heard.wait(0.1):
            break
    assert standing(records, node)[:2] == ("R1-07", "Maintenance")
    watcher.stop()
