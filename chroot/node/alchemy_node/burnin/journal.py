"""Sends the lines of a run away as they are written, and never holds up the run.

A line that was not confirmed is sent again: the rack service keeps one line a sequenceNumber.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

from alchemy_node import web

# of one request: a few hundred lines
CHUNK = 256 << 10
# seconds between two looks for new lines; between two attempts, doubled each time
_INTERVAL = 2.0
_LONGEST = 300.0


class Target(Protocol):
    """Where lines go."""

    def send(self, lines: bytes) -> None:
        """Sends whole lines; returns when they are kept. Raises web.WebError."""


@dataclass(frozen=True)
class Rack:
    """A run of the rack service."""

    url: str
    token: str = field(repr=False)
    run: str

    @classmethod
    def begin(cls, url: str, token: str, node: str) -> Rack:
        """Has the rack service begin a run of a node. Raises web.WebError."""
        body = json.dumps({"node": node}).encode()
        answer = web.request("POST", f"{url}/v1/runs", body=body, headers=_headers(token), attempts=web.ATTEMPTS)
        _confirm(f"{url}/v1/runs", answer)
        try:
            run = json.loads(answer.body)["run"]
        except (ValueError, LookupError, TypeError, RecursionError):
            run = None
        if isinstance(run, bool) or not isinstance(run, int | str) or not is_run(str(run)):
            raise web.WebError(f"{web.shown(url)}/v1/runs: the answer names no run")
        return cls(url, token, str(run))

    def send(self, lines: bytes) -> None:
        """Posts the lines as a JSON list."""
        url = f"{self.url}/v1/runs/{self.run}/lines"
        body = b"[" + b",".join(lines.splitlines()) + b"]"
        _confirm(url, web.request("POST", url, body=body, headers=_headers(self.token)))


@dataclass(frozen=True)
class Folder:
    """A folder of a web server that takes PUT: each chunk is a file, named by the first sequenceNumber in it."""

    url: str

    def send(self, lines: bytes) -> None:
        """Puts the lines as one file; the same lines get the same name again."""
        first = json.loads(lines.partition(b"\n")[0])["sequenceNumber"]
        url = f"{self.url.rstrip('/')}/lines-{first:08}.jsonl"
        answer = web.request("PUT", url, body=lines, headers={"Content-Type": "application/jsonl"})
        _confirm(url, answer)


class Journal:
    """A thread that sends what a record gets."""

    def __init__(
        self,
        read: Callable[[int, int], bytes],
        target: Target,
        say: Callable[[str], None],
        *,
        interval: float = _INTERVAL,
    ) -> None:
        """Reads by Record.lines. `say` is told when the target does not take lines, and when it does again."""
        self._read = read
        self._target = target
        self._say = say
        self._interval = interval
        self._offset = 0
        self._end = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)

    def start(self) -> None:
        """Begins to send."""
        self._thread.start()

    def stop(self, seconds: float) -> bool:
        """Sends the remaining lines for at most so many seconds; returns whether all were confirmed."""
        self._end = time.monotonic() + seconds
        self._stopping.set()
        self._thread.join(seconds)
        return not self._thread.is_alive() and not self._read(self._offset, 1)

    def _work(self) -> None:
        delay, failed = self._interval, False
        while True:
            # the last look comes after the order to stop, so that no line is missed
            last = self._stopping.is_set()
            problem = self._send()
            if problem is not None and not failed:
                self._say(f"the journal is not kept: {problem}; it is tried again")
            elif problem is None and failed:
                self._say("the journal is kept again")
            failed = problem is not None
            delay = min(2 * delay, _LONGEST) if failed else self._interval
            if last and (not failed or time.monotonic() >= self._end):
                return
            if last:
                time.sleep(min(self._interval, max(0.0, self._end - time.monotonic())))
            else:
                self._stopping.wait(delay)

    def _send(self) -> str | None:
        """Sends all that is there; returns what went wrong."""
        while lines := self._read(self._offset, CHUNK):
            try:
                self._target.send(lines)
            except web.WebError as error:
                return str(error)
            self._offset += len(lines)
        return None


def is_run(word: str) -> bool:
    """Tells whether a word names a run: it becomes a part of a URL and the name of a folder."""
    return 0 < len(word) <= 64 and word.isascii() and word[0].isalnum() and word.replace("-", "").isalnum()


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def _confirm(url: str, answer: web.Answer) -> None:
    if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        raise web.WebError(f"{web.shown(url)}: refused: {answer.phrase}")
