"""Authenticates the calls of a node: `Authorization: Bearer TOKEN` (RFC 6750)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection
from starlette.requests import Request

from alchemy.rack.records import boots
from alchemy.rack.records.boots import Boot
from alchemy.rack.service.refusals import RefusedError

_HINT = "POST /v1/boots gives a token where a run is expected"
_LONGEST = 512


def given(request: Request) -> str:
    """Returns the token of a request. Raises RefusedError (401) if it is missing."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not 0 < len(token) <= _LONGEST or not token.isascii():
        raise _unauthorized("token: missing (expected `Authorization: Bearer TOKEN`)")
    return token


def boot(connection: Connection, request: Request, node_id: str | None, now: datetime) -> Boot:
    """Returns the boot that the token was issued for.

    The lookup is by the hash of the token, so that its time tells nothing about how close a guess is. Raises
    RefusedError: 401 for an unknown or expired token, 403 if it belongs to another node than `node_id`.
    """
    found = boots.authenticate(connection, given(request), None, now=now)
    if found is None:
        raise _unauthorized("token: unknown or expired")
    if node_id is not None and found.node_id != node_id:
        raise RefusedError(403, f"token: wrong node (expected that of node {node_id[:20]})", _HINT)
    return found


def _unauthorized(problem: str) -> RefusedError:
    return RefusedError(401, problem, _HINT, {"WWW-Authenticate": "Bearer"})
