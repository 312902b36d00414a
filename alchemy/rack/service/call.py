"""Turns a handler into an endpoint: enforces the limits, reads the body, then runs the handler in a thread."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from alchemy.rack.service import bodies
from alchemy.rack.service.core import Service

Work = Callable[[Service, Request, bytes], Response]
Endpoint = Callable[[Request], Awaitable[Response]]


def endpoint(service: Service, name: str, work: Work, limit: int = 0) -> Endpoint:
    """Returns the endpoint. `name` is its label in the metrics, `limit` the largest body in bytes."""

    async def answer(request: Request) -> Response:
        request.scope["call"] = name
        client = address(request)
        # loopback clients run on this host
        if not _is_loopback(client):
            service.addresses.take(client)
        # before the body is read and the token looked up: a flooding node must be cheap to refuse
        login = request.headers.get("authorization", "")
        key = hashlib.sha256(login.encode("utf-8", "surrogateescape")).hexdigest()
        if login:
            service.nodes.take(key)
        body = await bodies.read(request, limit)
        if login:
            service.volume.take(key, len(body))
        # what waits for the disk must not take the threads of what only reads, such as a decision
        threads = None if name.startswith("GET ") else service.writers
        return await to_thread.run_sync(work, service, request, body, limiter=threads)

    return answer


def address(request: Request) -> str:
    """Returns the address of the client. Behind nginx, uvicorn takes it from X-Forwarded-For."""
    return request.client.host if request.client else ""


def _is_loopback(client: str) -> bool:
    try:
        return ip_address(client).is_loopback
    except ValueError:
        return False
