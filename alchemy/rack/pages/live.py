"""GET /live: what happens, as server-sent events (HTML, section 9.2). Their ids are those of the events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from alchemy.rack.pages import answers, views
from alchemy.rack.pages.desk import Desk
from alchemy.rack.pages.operators import DeniedError
from alchemy.rack.records import events
from alchemy.rack.records.database import RecordsError
from alchemy.rack.records.events import Event

MOST_LISTENERS = 100
# seconds: between two looks at the records, which all listeners share, and between two signs of life
POLL = 1.0
HEARTBEAT = 15.0
# after this many seconds a listener comes back, so that a session that has ended ends here too
_LONGEST = 600.0
_RETRY = 3000  # milliseconds
_MOST_MISSED = 200


class Live:
    """Tells listeners of events. All of its methods run in one event loop."""

    def __init__(self, desk: Desk, poll: float = POLL, heartbeat: float = HEARTBEAT) -> None:
        """Begins without listeners; the times are in seconds."""
        self._desk = desk
        self._poll = poll
        self._heartbeat = heartbeat
        self._listeners = 0
        self._last = 0
        self._looked = -1e9
        self._turn = asyncio.Lock()

    async def answer(self, request: Request) -> Response:
        """Answers with a stream. With Last-Event-ID it begins with what the listener missed, as far as that is short.

        Raises DeniedError: 400, 401, or 503 when there are too many listeners.
        """
        await run_in_threadpool(self._desk.operators.require, request, "view")
        last = request.headers.get("last-event-id", "").strip()
        if last and not (last.isascii() and last.isdigit() and len(last) < 19):
            raise DeniedError(400, "Last-Event-ID: invalid (expected the id of an event)")
        if self._listeners >= MOST_LISTENERS:
            raise DeniedError(
                503, f"live: too many listeners (at most {MOST_LISTENERS})", headers={"Retry-After": "30"}
            )
        newest = await run_in_threadpool(self._newest)
        # an id of other records would wait for long
        after = max(min(int(last), newest), newest - _MOST_MISSED) if last else newest
        headers = {**answers.HEADERS, "X-Accel-Buffering": "no"}
        return StreamingResponse(self._stream(after), headers=headers, media_type="text/event-stream")

    async def _stream(self, after: int) -> AsyncIterator[str]:
        # those of one moment have all seen that there is room; the browser comes back
        if self._listeners >= MOST_LISTENERS:
            return
        loop = asyncio.get_running_loop()
        self._listeners += 1
        try:
            yield f"retry: {_RETRY}\n\n"
            end = loop.time() + _LONGEST
            beat = loop.time() + self._heartbeat
            while loop.time() < end:
                news = await self._since(after)
                for event in news:
                    after = event.id
                    yield _framed(event)
                if not news:
                    await asyncio.sleep(self._poll)
                if loop.time() >= beat:
                    beat = loop.time() + self._heartbeat
                    yield ": alive\n\n"
        except RecordsError:
            # the browser comes back
            return
        finally:
            self._listeners -= 1

    async def _since(self, after: int) -> list[Event]:
        """Returns the events after an id; the records are asked for them only where there are any."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            if loop.time() - self._looked >= self._poll:
                self._last = await run_in_threadpool(self._newest)
                self._looked = loop.time()
        return await run_in_threadpool(self._read, after) if self._last > after else []

    def _newest(self) -> int:
        with self._desk.records.reading() as connection:
            return events.last_id(connection)

    def _read(self, after: int) -> list[Event]:
        with self._desk.records.reading() as connection:
            return events.since(connection, after)


def _framed(event: Event) -> str:
    # JSON of ASCII has no newline, which would end the field
    body = json.dumps({**views.event(event), "at": answers.rfc3339(event.at)}, separators=(",", ":"))
    return f"id: {event.id}\ndata: {body}\n\n"
