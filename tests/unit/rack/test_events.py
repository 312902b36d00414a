"""Events: added, read in their order, never changed."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from alchemy.rack.records import events, marks
from alchemy.rack.records.database import Records
from alchemy.rack.records.events import Event
from tests.unit.rack.samples import HOUR, NOW, node


def test_events_are_read_from_both_ends(records: Records) -> None:
    with records.begin() as connection:
        assert events.last_id(connection) == 0
        known = node(connection)
        ids = [
            events.add(connection, known.id if number % 2 else None, "stage", f"{number}", {"n": number}, now=NOW)
            for number in range(5)
        ]
        assert ids == sorted(set(ids))
        assert events.last_id(connection) == ids[-1]
        assert [event.id for event in events.since(connection, ids[1])] == ids[2:]
        assert [event.id for event in events.since(connection, limit=2)] == ids[:2]
        assert [event.id for event in events.since(connection, node_id=known.id)] == ids[1::2]
        assert [event.id for event in events.latest(connection, limit=2)] == [ids[4], ids[3]]
        assert [event.id for event in events.latest(connection, before=ids[3])] == [ids[2], ids[1], ids[0]]
        assert events.since(connection, ids[0], limit=1) == [Event(ids[1], known.id, NOW, "stage", "1", {"n": 1})]


def test_what_a_node_says_is_kept_as_it_is(records: Records) -> None:
    said = "<script>\u202e\N{SNOWMAN}'; DROP TABLE events; --"
    with records.begin() as connection:
        identifier = events.add(connection, None, "stage", said, {"text": "\x00\ud800"}, now=NOW)
        found = events.since(connection, identifier - 1)[0]
        assert (found.message, found.data) == (said, {"text": "\x00\ud800"})


def test_a_long_message_is_cut(records: Records) -> None:
    with records.begin() as connection:
        events.add(connection, None, "stage", "x" * 99_999, now=NOW)
        assert len(events.since(connection)[0].message) == 2000


def test_moments_come_back_in_utc(records: Records) -> None:
    with records.begin() as connection:
        events.add(connection, None, "stage", "", now=NOW.astimezone(timezone(timedelta(hours=9))))
        found = events.since(connection)[0].at
        assert (found, found.tzinfo) == (NOW, NOW.tzinfo)


def test_a_moment_without_a_time_zone_is_a_bug(records: Records) -> None:
    with pytest.raises(Exception, match="a moment without a time zone"), records.begin() as connection:
        events.add(connection, None, "stage", "", now=NOW.replace(tzinfo=None))


def test_a_mark_is_moved(records: Records) -> None:
    with records.begin() as connection:
        assert marks.get(connection, "collins") is None
        marks.put(connection, "collins", NOW)
        marks.put(connection, "retention", NOW + HOUR)
        marks.put(connection, "collins", NOW - HOUR)
        assert (marks.get(connection, "collins"), marks.get(connection, "retention")) == (NOW - HOUR, NOW + HOUR)
