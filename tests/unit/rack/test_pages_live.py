"""Server-sent events of the pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse

from alchemy.rack.pages import live
from alchemy.rack.pages.live import Live
from alchemy.rack.pages.operators import DeniedError
from alchemy.rack.records import events
from alchemy.rack.records.database import Records
from tests.unit.rack import scenes
from tests.unit.rack.scenes import HOSTILE, NOW
from tests.unit.rack.test_operators import basic, call

PATIENCE = 60.0


def listener(last: str | None = None) -> Request:
    headers = basic("alice", "gold")
    return call(headers if last is None else {**headers, "Last-Event-ID": last})


def add(records: Records, message: str) -> int:
    with records.begin() as connection:
        return events.add(connection, None, "stage", message, now=NOW)


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), PATIENCE))


async def listen(told: Live, last: str | None = None) -> AsyncIterator[str]:
    answer = await told.answer(listener(last))
    assert isinstance(answer, StreamingResponse)
    assert answer.media_type == "text/event-stream"
    assert answer.headers["x-accel-buffering"] == "no"
    stream = aiter(answer.body_iterator)
    assert await anext(stream) == "retry: 3000\n\n"
    return stream  # type: ignore[return-value]


async def following(stream: AsyncIterator[str], prefix: str) -> str:
    """Returns the next piece that begins so."""
    while not (piece := await anext(stream)).startswith(prefix):
        pass
    return piece


def test_a_listener_hears_what_happens(records: Records) -> None:
    async def test() -> None:
        add(records, "before")
        stream = await listen(Live(scenes.desk(records), poll=0.01))
        number = add(records, HOSTILE + "\n\nid: 1\ndata: {}")
        piece = await following(stream, "id:")
        head, data, *rest = piece.split("\n")
        assert (head, rest) == (f"id: {number}", ["", ""])
        event = json.loads(data.removeprefix("data: "))
        assert (event["id"], event["at"]) == (number, "2026-11-28T05:00:00.000Z")
        assert event["message"].startswith(HOSTILE)

    run(test)


@pytest.mark.parametrize(
    ("last", "first"),
    [("1", "two"), ("2", "three"), ("0", "one"), ("3", "later"), ("999999", "later"), (None, "later")],
)
def test_a_listener_comes_back(records: Records, last: str | None, first: str) -> None:
    async def test() -> None:
        for message in ("one", "two", "three"):
            add(records, message)
        stream = await listen(Live(scenes.desk(records), poll=0.01), last)
        add(records, "later")
        assert f'"message":"{first}"' in await following(stream, "id:")

    run(test)


def test_a_listener_that_missed_much_hears_the_newest(records: Records) -> None:
    async def test() -> None:
        with records.begin() as connection:
            for number in range(500):
                events.add(connection, None, "stage", f"number {number}", now=NOW)
        stream = await listen(Live(scenes.desk(records), poll=0.01), "1")
        assert '"number 300"' in await following(stream, "id:")

    run(test)


def test_a_quiet_connection_shows_that_it_lives(records: Records) -> None:
    async def test() -> None:
        stream = await listen(Live(scenes.desk(records), poll=0.01, heartbeat=0.01))
        assert await following(stream, ":") == ": alive\n\n"

    run(test)


def test_listeners_are_bounded(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_LISTENERS", 2)

    async def test() -> None:
        told = Live(scenes.desk(records), poll=0.01)
        streams = [await listen(told) for _ in range(2)]
        with pytest.raises(DeniedError, match="too many listeners") as raised:
            await told.answer(listener())
        assert (raised.value.status, raised.value.headers) == (503, {"Retry-After": "30"})
        # one that asked at the same moment as the last
        late = [piece async for piece in told._stream(0)]
        assert late == []
        await streams[0].aclose()  # type: ignore[attr-defined]
        await listen(told)

    run(test)


@pytest.mark.parametrize("last", ["x", "-1", "1" * 30, "²"])
def test_a_made_up_id_is_refused(records: Records, last: str) -> None:
    async def test() -> None:
        request = listener()
        request.scope["headers"].append((b"last-event-id", last.encode()))
        with pytest.raises(DeniedError, match="Last-Event-ID"):
            await Live(scenes.desk(records)).answer(request)

    run(test)


def test_nobody_else_listens(records: Records) -> None:
    async def test() -> None:
        with pytest.raises(DeniedError, match="not logged in"):
            await Live(scenes.desk(records)).answer(call())

    run(test)
