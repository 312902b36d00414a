"""Reads request bodies: bounded in size, time, depth and count, as strict JSON."""

from __future__ import annotations

import asyncio
import json
import re
import unicodedata
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from alchemy.rack.service.refusals import RefusedError

# bytes
SMALL = 64 << 10
INVENTORY = 4 << 20
LINES = 4 << 20

# seconds for a whole body: 4 MB at 1 Mbit/s
_PATIENCE = 40.0
_MOST_DEPTH = 40
_MOST_STRING = 64 << 10
_SUSPECT = re.compile(r"[^\t\n\x20-\x7e]")
# controls, formats (bidirectional overrides), surrogates, line and paragraph separators
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


async def read(request: Request, limit: int, patience: float = _PATIENCE) -> bytes:
    """Returns the body. Raises RefusedError: 413 above `limit` bytes, 408 after `patience` seconds."""
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(patience):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        problem = f"body: too slow (expected all of it within {patience:g} s)"
        raise RefusedError(408, problem, "check the link of the node") from None
    except ClientDisconnect:
        raise RefusedError(400, "body: truncated: the connection broke", "send it again") from None
    return bytes(body)


def parse(body: bytes) -> Any:
    """Returns a JSON document with cleaned strings and finite numbers.

    Raises RefusedError (400) for a document that is malformed, too deep, or has a duplicate key.
    """
    try:
        found = json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant, parse_float=_float
        )
    except UnicodeDecodeError as error:
        raise _malformed("not UTF-8") from error
    except json.JSONDecodeError as error:
        raise _malformed(f"not JSON (line {error.lineno}, column {error.colno})") from error
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        # Python limits the digits of an integer
        raise _malformed("a number is too long") from error
    return _cleaned(found)


def mapping(document: Any) -> dict[str, Any]:
    """Returns the document if it is an object. Raises RefusedError (400)."""
    if not isinstance(document, dict):
        raise _malformed("expected an object")
    return document


def text(document: dict[str, Any], key: str, most: int) -> str:
    """Returns a string of an object, cut to `most` characters; empty if missing. Raises RefusedError (400)."""
    value = document.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RefusedError(400, f"{key}: expected a string, got {type(value).__name__}")
    return " ".join(value.split())[:most]


def clean(said: str) -> str:
    """Returns a string with its control and format characters replaced, and bounded; tabs and newlines stay."""
    return _SUSPECT.sub(_replaced, said[:_MOST_STRING])


def _replaced(match: re.Match[str]) -> str:
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(match[0]) in _HIDDEN else match[0]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _malformed("duplicate key")
    return found


def _constant(name: str) -> NoReturn:
    raise _malformed(f"{name} is not a JSON number")


def _float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise _malformed("a number is too large")
    return value


def _cleaned(value: Any, depth: int = 0) -> Any:
    if depth > _MOST_DEPTH:
        raise _too_deep()
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {clean(key): _cleaned(item, depth + 1) for key, item in value.items()}
    if isinstance(value, int) and abs(value) >= 1 << 63:
        # neither the database nor other JSON parsers hold it
        raise _malformed("an integer does not fit into 64 bits")
    return value


def _too_large(limit: int) -> RefusedError:
    return RefusedError(413, f"body: too large (expected at most {limit} bytes)")


def _too_deep() -> RefusedError:
    return _malformed(f"too deep (expected at most {_MOST_DEPTH} levels)")


def _malformed(problem: str) -> RefusedError:
    return RefusedError(400, f"body: {problem}", "send one JSON document in UTF-8")
