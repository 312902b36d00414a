"""GET /: the list of nodes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from alchemy.rack.pages import answers, query, views
from alchemy.rack.pages.answers import Format
from alchemy.rack.pages.desk import Desk
from alchemy.rack.pages.query import Query
from alchemy.rack.records import listing
from alchemy.rack.records.listing import Found

# of a CSV: all nodes, some at a time
_BATCH = 2000
_MOST_ROWS = 100_000


def answer(desk: Desk, request: Request, default: Format = "html") -> Response:
    """Answers with the nodes that the URL asks for, as a page, JSON, or CSV (which has all of them)."""
    form = answers.wanted(request, default)
    operator = desk.operators.require(request, "view")
    asked, now = query.parse(request.query_params), desk.clock()
    with desk.records.reading() as connection:
        if form == "csv":
            return answers.as_csv("nodes", views.NODE_COLUMNS, _rows(connection, asked, now))
        found = _found(connection, asked, now, asked.offset, asked.rows)
        if form == "json":
            return answers.as_json(_json(found, asked, request.url.path))
        return answers.page(
            "nodes.html",
            operator=operator,
            here="nodes",
            now=now,
            query=asked,
            found=found,
            last_page=max(1, -(-found.total // asked.rows)),
            counts=_counts(connection, now),
            choices={name: listing.values(connection, name) for name in ("model", "status")},
            views=views,
            silent=query.SILENT,
        )


def _found(connection: Connection, asked: Query, now: datetime, offset: int, limit: int) -> Found:
    filters = asked.filters(now)
    return listing.search(
        connection, filters, offset=offset, limit=limit, order=asked.order, descending=asked.descending
    )


def _rows(connection: Connection, asked: Query, now: datetime) -> Iterator[views.View]:
    for offset in range(0, _MOST_ROWS, _BATCH):
        batch = _found(connection, asked, now, offset, _BATCH).nodes
        yield from (views.node_row(each.node, each.run) for each in batch)
        if len(batch) < _BATCH:
            return


def _json(found: Found, asked: Query, path: str) -> views.View:
    more = asked.offset + len(found.nodes) < found.total
    return {
        "nodes": [views.node(each.node, each.run) for each in found.nodes],
        "total": found.total,
        "page": asked.page,
        "next": asked.url(path, page=asked.page + 1) if more else None,
    }


def _counts(connection: Connection, now: datetime) -> list[tuple[str, Query, int]]:
    """Returns what an operator looks for first: the word, its list, and how many nodes are in it."""
    tally = listing.tally(connection, now - query.SILENT)
    chosen = {
        "all": Query(),
        "failed": Query(failed=True),
        "silent": Query(silent=True),
        "running": Query(running=True),
        "alarm": Query(alarm=True),
    }
    return [(word, asked, tally[word]) for word, asked in chosen.items()]
