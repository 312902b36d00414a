"""GET /events: what happened, the newest first."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from alchemy.rack.pages import answers, views
from alchemy.rack.pages.answers import Format
from alchemy.rack.pages.desk import Desk
from alchemy.rack.pages.operators import DeniedError
from alchemy.rack.records import events, nodes

_ROWS = 100
_MOST_ROWS = 1000
_LARGEST = (1 << 63) - 1
_PARAMETERS = frozenset({"node", "before", "since", "format"})


def answer(desk: Desk, request: Request, default: Format = "html") -> Response:
    """Answers with events of all nodes, or of `?node=`, as a page, JSON or CSV.

    `before` is the id that the newest one is below; with `since`, the oldest ones above that id come, in their order.
    """
    form = answers.wanted(request, default)
    operator = desk.operators.require(request, "view")
    unknown = set(request.query_params) - _PARAMETERS
    if unknown:
        raise DeniedError(400, f"{sorted(unknown)[0][:40]}: unknown parameter (expected node, before or since)")
    node_id = request.query_params.get("node")
    before, since = _number(request, "before"), _number(request, "since")
    limit = _ROWS if form == "html" else _MOST_ROWS
    with desk.records.reading() as connection:
        if since is not None:
            found = events.since(connection, since, node_id=node_id, limit=limit)
        else:
            found = events.latest(connection, before=before, node_id=node_id, limit=limit)
        if form == "csv":
            return answers.as_csv("events", views.EVENT_COLUMNS, map(views.event, found))
        if form == "json":
            return answers.as_json({"events": [views.event(each) for each in found]})
        known = {each.node_id for each in found if each.node_id}
        names = {each: node.name for each in known if (node := nodes.get(connection, each)) is not None}
    return answers.page(
        "events.html",
        operator=operator,
        here="events",
        events=found,
        names=names,
        node_id=node_id,
        older=found[-1].id if len(found) == limit and since is None else None,
        current=before is None and since is None,
    )


def _number(request: Request, name: str) -> int | None:
    value = request.query_params.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 20 and int(value) <= _LARGEST):
        raise DeniedError(400, f"{name}: invalid (expected the id of an event)")
    return int(value)
