"""Reads what operators send: the forms of the pages, and objects of JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import parse_qsl

from starlette.requests import Request

from alchemy.rack.pages.operators import DeniedError

_Value = TypeVar("_Value")
_MOST_BYTES = 16 << 10
_MOST_FIELDS = 20
_TYPE = "application/x-www-form-urlencoded"


async def read(request: Request) -> dict[str, str]:
    """Returns the fields of a form. Raises DeniedError: 400, 413, 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _TYPE:
        raise DeniedError(415, f"Content-Type: unsupported (expected {_TYPE})")
    try:
        text = (await _body(request)).decode("ascii")
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise DeniedError(400, "form: malformed") from error
    return _unique("form", fields)


async def read_json(request: Request) -> dict[str, object]:
    """Returns an object of JSON (RFC 8259) without duplicate names. Raises DeniedError: 400, 413."""
    body = await _body(request)
    try:
        found = json.loads(body.decode(), object_pairs_hook=lambda pairs: _unique("body", pairs))
    except (ValueError, RecursionError) as error:
        raise DeniedError(400, "body: malformed (expected an object of JSON)") from error
    if not isinstance(found, dict):
        raise DeniedError(400, "body: malformed (expected an object of JSON)")
    return found


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_BYTES:
            raise DeniedError(413, f"body: too large (expected at most {_MOST_BYTES} bytes)")
    return bytes(body)


def _unique(what: str, pairs: Sequence[tuple[str, _Value]]) -> dict[str, _Value]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise DeniedError(400, f"{what}: duplicate field")
    return found
