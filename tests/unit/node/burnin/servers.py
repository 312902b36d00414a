"""A server for the tests: it keeps what it is sent, refuses and breaks off as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Service(ThreadingHTTPServer):
    """A rack service of one run, and a folder that takes PUT. `answers` come first: a status, or 0 to hang up."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[int] = []
        self.lost: list[int] = []
        self.lines: dict[int, Any] = {}
        self.posts: list[list[Any]] = []
        self.files: dict[str, bytes] = {}
        self.page = 1000
        self.document: object = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Answers."""

    server: Service

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._refused():
            return
        if self.headers["Authorization"] != "Bearer secret":
            self._answer(401, {"error": "no"})
        elif self.path == "/v1/runs":
            self._answer(201, {"run": 7} if self.server.document is None else self.server.document)
        else:
            assert self.path == "/v1/runs/7/lines"
            self.server.posts.append(body)
            for line in body:
                self.server.lines.setdefault(line["sequenceNumber"], line)
            if self.server.lost and self.server.lost.pop(0):
                # the lines are kept, and the answer is lost
                self.close_connection = True
                return
            self._answer(200, {})

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._refused():
            self.server.files[self.path] = body
            self._answer(201, {})

    def do_GET(self) -> None:
        if self._refused():
            return
        start = int(self.path.partition("from=")[2])
        found = [line for number, line in sorted(self.server.lines.items()) if number >= start]
        self._answer(200, found[: self.server.page] if self.server.document is None else self.server.document)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        pass

    def _refused(self) -> bool:
        status = self.server.answers.pop(0) if self.server.answers else None
        if status == 0:
            self.close_connection = True
        elif status is not None:
            self._answer(status, {"error": "refused"})
        return status is not None

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving() -> Iterator[Service]:
    """Serves on a port of loopback."""
    with Service() as service:
        thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield service
        finally:
            service.shutdown()
            thread.join()
