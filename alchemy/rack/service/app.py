"""Builds the application: its routes and its error responses."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alchemy.rack.collins import relay
from alchemy.rack.collins.manager import Manager
from alchemy.rack.config import RackConfig
from alchemy.rack.pages import routes
from alchemy.rack.pages.desk import Desk
from alchemy.rack.pages.operators import Operators
from alchemy.rack.records.database import Records, RecordsError
from alchemy.rack.service import arriving, bodies, booting, housekeeping, monitoring, relaying, reporting, running
from alchemy.rack.service.call import Work, endpoint
from alchemy.rack.service.core import Collins, Service, utc_now
from alchemy.rack.service.observing import Observer
from alchemy.rack.service.progress import Progress
from alchemy.rack.service.refusals import RefusedError

# method, path, handler, body limit in bytes; method and path are the call's label in the metrics
_CALLS: Sequence[tuple[str, str, Work, int]] = (
    ("GET", "/boot.ipxe", booting.first_script, 0),
    ("GET", "/v1/boot", booting.node_script, 0),
    ("POST", "/v1/boots", arriving.report, bodies.SMALL),
    ("PUT", "/v1/nodes/{node}/inventory", reporting.inventory, bodies.INVENTORY),
    ("POST", "/v1/nodes/{node}/events", reporting.event, bodies.SMALL),
    ("GET", "/v1/nodes/{node}/collins", relaying.offer, 0),
    ("GET", "/v1/nodes/{node}/collins/api/{path:path}", relaying.call, 0),
    ("PUT", "/v1/nodes/{node}/collins/api/{path:path}", relaying.call, relay.MOST_BYTES),
    ("POST", "/v1/nodes/{node}/collins/api/{path:path}", relaying.call, relay.MOST_BYTES),
    ("POST", "/v1/runs", running.begin, bodies.SMALL),
    ("POST", "/v1/runs/{run}/lines", running.append, bodies.LINES),
    ("GET", "/v1/runs/{run}/lines", running.read, 0),
    ("GET", "/metrics", monitoring.figures, 0),
    ("GET", "/healthz", monitoring.health, 0),
)


def create(
    config: RackConfig,
    records: Records,
    *,
    url: str = "",
    collins: Collins | None = None,
    clock: Callable[[], datetime] = utc_now,
    log: Callable[[str], None] | None = None,
    access_log: Path | None = None,
) -> Starlette:
    """Returns the application: calls of nodes, monitoring, and the pages with the operators' calls.

    `url` is where nodes reach it, empty for the host that each request names. `collins` takes the place of the one in
    the configuration. `log` takes a line of JSON a request; without it the standard output does. `access_log` is
    that of the nginx that serves the images.
    """
    if collins is None and config.collins is not None:
        collins = Manager(config.collins, records, clock)
    service = Service(config, records, url.rstrip("/"), clock, collins)
    calls = [
        Route(path, endpoint(service, f"{method} {path}", work, limit), methods=[method])
        for method, path, work, limit in _CALLS
    ]
    return Starlette(
        routes=[*calls, *routes.routes(Desk(config, records, Operators(config), clock))],
        middleware=[Middleware(Observer, service=service, log=log or _print)],
        exception_handlers={
            RefusedError: _refused,
            HTTPException: _http,
            RecordsError: _records,
            Exception: _bug,
        },
        lifespan=partial(_life, service, log or _print, access_log),
    )


@asynccontextmanager
async def _life(
    service: Service, log: Callable[[str], None], access_log: Path | None, _app: Starlette
) -> AsyncIterator[None]:
    """Runs the background threads while the application serves."""
    over = threading.Event()
    threading.Thread(target=housekeeping.run, args=(service, over, log), name="housekeeping", daemon=True).start()
    if access_log is not None:
        threading.Thread(target=Progress(service, access_log).run, args=(over,), name="progress", daemon=True).start()
    if service.collins is not None:
        service.collins.start()
    try:
        yield
    finally:
        over.set()
        if service.collins is not None:
            service.collins.stop()


def _print(line: str) -> None:
    print(line, flush=True)


async def _refused(_request: Request, error: Exception) -> Response:
    return cast(RefusedError, error).answer()


async def _http(request: Request, error: Exception) -> Response:
    """Answers an unknown path or a method that the path does not support."""
    refused = cast(HTTPException, error)
    problem = {404: "unknown path", 405: f"{request.method} is not allowed"}.get(refused.status_code, refused.detail)
    path = request.url.path[:200]
    return RefusedError(refused.status_code, f"{path}: {problem}", headers=dict(refused.headers or {})).answer()


async def _records(_request: Request, error: Exception) -> Response:
    """Answers while the database is unavailable; nodes and iPXE retry."""
    hint = "df -h; systemctl status postgresql"
    return RefusedError(503, cast(RecordsError, error).message, hint, {"Retry-After": "5"}).answer()


async def _bug(_request: Request, _error: Exception) -> Response:
    """Answers after a bug of ours. uvicorn logs the traceback."""
    return RefusedError(500, "the service has failed: a bug", "the log has the traceback").answer()
