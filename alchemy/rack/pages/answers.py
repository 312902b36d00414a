"""Answers in the format that the caller wants, with the headers that keep a browser safe."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from alchemy.errors import visible
from alchemy.rack.pages import html
from alchemy.rack.pages.operators import DeniedError, Operator

Format = Literal["html", "json", "csv"]

# scripts and styles are files of ours: no text of a node can become one
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_TYPES: Mapping[str, Format] = {"text/html": "html", "application/json": "json", "text/csv": "csv"}
# what a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)
_FORMULA = ("=", "+", "-", "@")


def wanted(request: Request, default: Format = "html") -> Format:
    """Returns the format that `?format=` names, else the one that `Accept` prefers. Raises DeniedError: 400, 406.

    A call whose default is JSON has no page.
    """
    chosen = _wanted(request, default)
    return "json" if chosen == "html" and default == "json" else chosen


def _wanted(request: Request, default: Format) -> Format:
    named = request.query_params.get("format")
    if named is not None:
        for known in _TYPES.values():
            if named == known:
                return known
        raise DeniedError(400, f"format: unknown (expected html, json or csv, got {html.clip(named, 40)})")
    accepted = _accepted(request.headers.get("accept", "*/*"))
    best = max(((quality, -place, kind) for place, (kind, quality) in enumerate(accepted)), default=None)
    if best is None or best[0] <= 0:
        raise DeniedError(406, f"Accept: not available (expected one of: {', '.join(_TYPES)})", hint="?format=json")
    return _TYPES.get(best[2], default)


def _accepted(header: str) -> list[tuple[str, float]]:
    """Returns the media types of an Accept header (RFC 9110, 12.5.1) that there are, each with its quality."""
    found = []
    for part in header[:2048].split(","):
        kind, *parameters = (word.strip().lower() for word in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                quality = _number(parameter[2:])
        if kind in _TYPES or kind in {"*/*", "text/*", "application/*"}:
            found.append(("application/json" if kind == "application/*" else kind, quality))
    return found


def _number(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def page(
    template: str, status: int = 200, *, operator: Operator | None = None, here: str = "", **values: object
) -> Response:
    """Renders a template; `here` is the entry of the navigation that the page is."""
    text = html.render(template, operator=operator, here=here, **values)
    return Response(text, status, {**HEADERS, "Vary": "Accept, Cookie"}, "text/html; charset=utf-8")


def as_json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Returns a value as JSON; moments become RFC 3339 in UTC."""
    body = json.dumps(value, default=_encoded, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # a lone surrogate of a node has no UTF-8
    data = body.encode("utf-8", "backslashreplace")
    return Response(data, status, {**HEADERS, "Vary": "Accept, Cookie", **(headers or {})}, "application/json")


def as_csv(name: str, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Response:
    """Returns rows as CSV (RFC 4180), none of whose cells a spreadsheet takes for a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    headers = {**HEADERS, "Vary": "Accept, Cookie", "Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(text.getvalue().encode("utf-8", "backslashreplace"), 200, headers, "text/csv; charset=utf-8")


def redirect(url: str) -> Response:
    """Has the browser get another page of ours."""
    return RedirectResponse(url, 303, HEADERS)


def is_browser(request: Request) -> bool:
    """Returns whether a call wants a page rather than data."""
    asks = "text/html" in request.headers.get("accept", "") and "format" not in request.query_params
    return asks and not request.url.path.startswith("/v1/")


def denied(request: Request, denial: DeniedError) -> Response:
    """Answers a refused call: a page for a browser, else `{"error", "hint"}`."""
    if not is_browser(request):
        return as_json({"error": denial.error, "hint": denial.hint}, denial.status, denial.headers)
    answer = page("denied.html", denial.status, denial=denial)
    answer.headers.update(denial.headers)
    return answer


def rfc3339(moment: datetime) -> str:
    """Returns a moment of UTC."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _encoded(value: object) -> object:
    if isinstance(value, datetime):
        return rfc3339(value)
    raise TypeError(f"{type(value).__name__}: not a value of JSON")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    # most cells of a large table are plain
    plain = value.isascii() and value.isprintable() and "://" not in value
    text = value if plain else visible(value).replace("\n", " ")
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
