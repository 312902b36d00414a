"""GET /nodes/ID: all that is known of a node."""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from alchemy.rack.pages import answers, parts, query, views
from alchemy.rack.pages.answers import Format
from alchemy.rack.pages.desk import Desk
from alchemy.rack.pages.operators import DeniedError
from alchemy.rack.records import events, inventories, nodes, orders, runs
from alchemy.rack.records.nodes import Node

# of each history; /events has all of a node
_MOST_EVENTS = 40
_MOST_RUNS = 20
_MOST_INVENTORIES = 20
_MOST_ORDERS = 20
_PART_COLUMNS = ("kind", "slot", "part")


def answer(desk: Desk, request: Request, default: Format = "html") -> Response:
    """Answers with a node, as a page, JSON (with its last inventory), or its parts as CSV."""
    form = answers.wanted(request, default)
    operator = desk.operators.require(request, "view")
    now = desk.clock()
    with desk.records.reading() as connection:
        node = find(connection, request)
        document = inventories.read(connection, node.inventory_id) if node.inventory_id else None
        if form == "csv":
            return answers.as_csv(f"node-{node.id}", _PART_COLUMNS, _rows(document or {}))
        past = runs.history(connection, node.id, limit=_MOST_RUNS)
        taken = inventories.history(connection, node.id, limit=_MOST_INVENTORIES)
        ordered = orders.history(connection, node.id, limit=_MOST_ORDERS)
        current = orders.current(connection, node.id, now=now)
        if form == "json":
            viewed = views.node(node, past[0] if past else None)
            lists = {
                "order": None if current is None else views.order(current),
                "orders": [views.order(each) for each in ordered],
                "runs": [views.run(each) for each in past],
                "inventories": [views.inventory(each) for each in taken],
                "document": document,
            }
            return answers.as_json({**viewed, **lists})
        return answers.page(
            "node.html",
            operator=operator,
            now=now,
            node=node,
            runs=[views.run(each) for each in past],
            inventories=taken,
            order=current,
            orders=ordered,
            profiles=desk.config.profiles,
            events=events.latest(connection, node_id=node.id, limit=_MOST_EVENTS),
            facts=[] if document is None else parts.facts(document),
            sections=[] if document is None else parts.sections(document),
            silent=query.SILENT,
        )


def inventory(desk: Desk, request: Request) -> Response:
    """Answers with a document as the node sent it: the last one, or that of `?id=`."""
    desk.operators.require(request, "view")
    with desk.records.reading() as connection:
        node = find(connection, request)
        chosen = inventories.get(connection, request.query_params.get("id", node.inventory_id or ""))
        if chosen is None or chosen.node_id != node.id:
            raise DeniedError(404, f"node {node.id}: no such inventory")
        return answers.as_json(inventories.read(connection, chosen.id))


def find(connection: Connection, request: Request) -> Node:
    """Returns the node of the path. Raises DeniedError (404)."""
    identifier = request.path_params["node"]
    node = nodes.get(connection, identifier)
    if node is None:
        raise DeniedError(404, f"node {identifier[:40]}: unknown", hint="GET / lists the nodes")
    return node


def _rows(document: parts.Json) -> list[views.View]:
    """Returns the parts as rows of CSV: the kind, the slot, and all else that is known in words."""
    return [
        {"kind": section.title, "slot": row[0], "part": "; ".join(
            f"{column}: {cell}" for column, cell in zip(section.columns[1:], row[1:], strict=True) if cell
        )}
        for section in parts.sections(document, most=2000)
        for row in section.rows
    ]  # fmt: skip
