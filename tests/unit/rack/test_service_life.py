"""What the service does beside answering: it follows Collins, and removes what is old."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from alchemy.rack.records import events
from alchemy.rack.records.database import Records, RecordsError
from alchemy.rack.service import housekeeping
from tests.unit.rack import rigs
from tests.unit.rack.rigs import START, Rig


def test_collins_is_followed_while_the_service_serves(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    did: list[str] = []
    monkeypatch.setattr(rigs.StandIn, "start", lambda _: did.append("start"))
    monkeypatch.setattr(rigs.StandIn, "stop", lambda _: did.append("stop"))
    rig = rigs.make(records, tmp_path, collins=True)
    with rig.client() as client:
        assert client.get("/healthz").status_code == 200
        assert did == ["start"]
    assert did == ["start", "stop"]


def tidy(rig: Rig) -> list[dict[str, str]]:
    """Keeps house once."""
    over, said = threading.Event(), list[str]()
    over.set()
    housekeeping.run(rig.service, over, said.append)
    return [json.loads(line) for line in said]


def test_what_is_old_is_removed(rig: Rig) -> None:
    with rig.records.begin() as connection:
        for age in (400, 300):
            events.add(connection, None, "x", f"{age} days", now=START - timedelta(days=age))
    assert tidy(rig) == [{"retention": "removed 1 events"}]
    with rig.records.reading() as connection:
        assert [event.message for event in events.since(connection)] == ["300 days"]


def test_a_database_that_does_not_answer_is_no_end(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Records) -> None:
        raise RecordsError("database: no space left on device")

    monkeypatch.setattr(Records, "begin", fail)
    assert tidy(rig) == [{"retention": "database: no space left on device"}]
