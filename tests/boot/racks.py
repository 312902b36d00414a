"""A stand-in for the rack service: it has each machine that boots burn in, and keeps the lines of one run."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.lib import web

RUN = "7"


class Rack:
    """What the service holds: the lines of a run, and the ids of the boots that it was told of."""

    def __init__(self) -> None:
        self.boots: set[str] = set()
        self._lines: dict[int, dict[str, Any]] = {}
        self._lock = threading.Lock()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of the run, in their order."""
        with self._lock:
            return [line for _, line in sorted(self._lines.items())]

    @property
    def record(self) -> str:
        """The lines of the run, as its file has them."""
        return "".join(json.dumps(line) + "\n" for line in self.lines)

    def handler(self) -> Callable[..., BaseHTTPRequestHandler]:
        """Returns a handler that answers for this service."""
        rack = self

        class Handler(web.Quiet, BaseHTTPRequestHandler):
            """Answers in JSON."""

            def do_GET(self) -> None:
                start = int(self.path.rpartition("from=")[2])
                self._answer(200, [line for line in rack.lines if line["sequenceNumber"] >= start])

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._answer(*rack._take(self.path, body))

            def _answer(self, status: int, document: object) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler

    def _take(self, path: str, body: Any) -> tuple[int, object]:
        if path == "/v1/boots":
            self.boots.add(body["boot_id"])
            if body.get("stage") == "init":
                # the preliminary init says where it is, and asks for nothing
                return 202, {}
            run = {"run": RUN} if self.lines else {}
            return 201, {"node": "1", "token": "test", "jobs": ["burnin"], "burnin": run}
        if path == "/v1/runs":
            return 201, {"run": RUN}
        if path == f"/v1/runs/{RUN}/lines":
            with self._lock:
                for line in body:
                    # as the service does: the first line of a number is kept
                    self._lines.setdefault(line["sequenceNumber"], line)
        return 200, {}
