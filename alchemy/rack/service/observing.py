"""Logs every request as a line of JSON, and counts it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alchemy.rack.service.core import Service

_PATH = 200  # characters; the query is not logged, because it may hold a secret


@dataclass(frozen=True)
class Observer:
    """The outermost middleware."""

    app: ASGIApp
    service: Service
    log: Callable[[str], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, seen = monotonic(), [500]

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen[0] = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            self._note(scope, seen[0], monotonic() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        # the router has found an endpoint for it
        other = "page" if "endpoint" in scope else "unknown path"
        self.service.metrics.request(scope.get("call", other), status, seconds)
        client = scope.get("client")
        line: dict[str, Any] = {
            "at": self.service.clock().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "address": client[0] if client else "",
            "method": scope["method"][:16],
            "path": scope["path"][:_PATH],
            "status": status,
            "ms": round(seconds * 1000, 1),
        }
        # json.dumps escapes control characters: a path may hold any text
        self.log(json.dumps(line))
