"""The style sheet, the script and the icon of the pages."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).with_name("static")
_TYPES = {
    "rack.css": "text/css; charset=utf-8",
    "rack.js": "text/javascript; charset=utf-8",
    "rack.svg": "image/svg+xml",
}


@cache
def content(name: str) -> tuple[bytes, str] | None:
    """Returns the bytes of a file and their media type; None for an unknown name."""
    return ((_FOLDER / name).read_bytes(), _TYPES[name]) if name in _TYPES else None


@cache
def url(name: str) -> str:
    """Returns the URL of a file. It changes with the bytes, so that browsers may keep them. Raises KeyError."""
    found = content(name)
    if found is None:
        raise KeyError(name)
    return f"/static/{name}?{hashlib.sha256(found[0]).hexdigest()[:12]}"
