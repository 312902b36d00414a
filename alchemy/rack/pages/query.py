"""Reads the filters of the list of nodes from a URL, and writes them into one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from alchemy.rack.pages.html import clip
from alchemy.rack.pages.operators import DeniedError
from alchemy.rack.records.listing import Filters, Order

# a node that runs a burn-in says so every few seconds
SILENT = timedelta(minutes=5)
MOST_ROWS = 200
_LONGEST = 200
_MOST_PAGE = 1_000_000
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})
_ORDERS: Mapping[str, Order] = {
    "node": "tag",
    "port": "port",
    "model": "model",
    "serial": "serial",
    "status": "status",
    "boots": "profile",
    "stage": "stage_at",
    "seen": "last_seen",
}


@dataclass(frozen=True)
class Query:
    """What a URL asks the list for. `q` is a part of any name of a node; `sort` a column, after `-` from its end."""

    failed: bool = False
    silent: bool = False
    running: bool = False
    alarm: bool = False
    model: str = ""
    vendor: str = ""
    status: str = ""
    state: str = ""
    q: str = ""
    sort: str = "port"
    page: int = 1
    rows: int = 100

    @property
    def offset(self) -> int:
        """The number of nodes on the pages before."""
        return (self.page - 1) * self.rows

    @property
    def order(self) -> Order:
        """The column of the records that the list is sorted by."""
        return _ORDERS[self.sort.removeprefix("-")]

    @property
    def descending(self) -> bool:
        """Whether the list is sorted from the end."""
        return self.sort.startswith("-")

    def filters(self, now: datetime) -> Filters:
        """Returns the filters of the records."""
        return Filters(
            failed=self.failed,
            silent_since=now - SILENT if self.silent else None,
            alarm=self.alarm,
            running=self.running,
            model=self.model or None,
            vendor=self.vendor or None,
            status=self.status or None,
            state=self.state or None,
            text=self.q or None,
        )

    def url(self, path: str = "/", **changes: object) -> str:
        """Returns the URL of this list with some values changed; the defaults are left out."""
        wanted = replace(self, **changes)  # type: ignore[arg-type]
        values = {
            field.name: "1" if value is True else value
            for field in fields(self)
            if (value := getattr(wanted, field.name)) != field.default
        }
        return f"{path}?{urlencode(values)}" if values else path

    def in_format(self, name: str) -> str:
        """Returns the URL of this list as CSV or JSON."""
        url = self.url()
        return f"{url}{'&' if '?' in url else '?'}format={name}"

    def sorted_by(self, column: str) -> str:
        """Returns the URL of this list sorted by a column; by the one that it is sorted by, the other way round."""
        return self.url(sort=f"-{column}" if self.sort == column else column, page=1)

    def direction(self, column: str) -> str:
        """Returns how the list is sorted by a column, in the words of ARIA; empty for no sorting."""
        return {column: "ascending", f"-{column}": "descending"}.get(self.sort, "")


def parse(values: Mapping[str, str]) -> Query:
    """Reads the parameters of a URL. Raises DeniedError (400) for an unknown one, and for an invalid value."""
    given: dict[str, object] = {}
    kinds = {field.name: type(field.default) for field in fields(Query)}
    for name, value in values.items():
        if name == "format":
            continue
        if name not in kinds:
            raise DeniedError(400, f"{clip(name, 40)}: unknown parameter (expected one of: {', '.join(kinds)})")
        given[name] = _value(name, kinds[name], value)
    if (sort := str(given.get("sort", "port"))).removeprefix("-") not in _ORDERS:
        raise DeniedError(400, f"sort: unknown column (expected one of: {', '.join(_ORDERS)}, got {clip(sort, 40)})")
    return Query(**given)  # type: ignore[arg-type]


def _value(name: str, kind: type, value: str) -> object:
    if len(value) > _LONGEST:
        raise DeniedError(400, f"{name}: too long (expected at most {_LONGEST} characters)")
    if kind is bool:
        if value.lower() not in _TRUE | _FALSE:
            raise DeniedError(400, f"{name}: invalid (expected true or false, got {clip(value, 40)})")
        return value.lower() in _TRUE
    if kind is int:
        most = MOST_ROWS if name == "rows" else _MOST_PAGE
        if not (value.isascii() and value.isdigit() and 1 <= int(value) <= most):
            raise DeniedError(400, f"{name}: invalid (expected 1 to {most}, got {clip(value, 40)})")
        return int(value)
    # a database cannot look for them, and no name has one
    if not value.isprintable():
        raise DeniedError(400, f"{name}: has a control character")
    return value.strip()
