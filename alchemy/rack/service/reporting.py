"""Answers the reports of a node: inventories and events."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alchemy.rack.records import events, inventories, nodes
from alchemy.rack.records.nodes import Node
from alchemy.rack.service import bodies, tokens
from alchemy.rack.service.core import Service
from alchemy.rack.service.refusals import RefusedError

_STAGE = 32  # characters
_MESSAGE = 500


def inventory(service: Service, request: Request, body: bytes) -> Response:
    """Answers PUT /v1/nodes/ID/inventory."""
    node_id, now = request.path_params["node"], service.clock()
    # before parsing: nobody without a token may cause that work
    with service.records.reading() as connection:
        tokens.boot(connection, request, node_id, now)
    document = bodies.mapping(bodies.parse(body))
    for key in ("inventory", "alchemy"):
        if not isinstance(document.get(key), dict):
            raise RefusedError(400, f"{key}: missing (expected an object)", "alchemy-inventory --json")
    with service.records.begin() as connection:
        node = nodes.get(connection, node_id)
        if node is None:
            raise RefusedError(404, f"node {node_id[:20]}: unknown")
        kept = inventories.add(connection, node, document, proven=True, now=now)
        nodes.update(connection, node.id, last_seen=now)
        events.add(connection, node.id, "inventory", _summary(node, kept.differences), {"inventory": kept.id}, now=now)
    return JSONResponse({"inventory": kept.id, "differences": list(kept.differences)})


def event(service: Service, request: Request, body: bytes) -> Response:
    """Answers POST /v1/nodes/ID/events."""
    node_id, now = request.path_params["node"], service.clock()
    with service.records.reading() as connection:
        tokens.boot(connection, request, node_id, now)
    fields = bodies.mapping(bodies.parse(body))
    stage, message = bodies.text(fields, "stage", _STAGE), bodies.text(fields, "message", _MESSAGE)
    if not stage:
        raise RefusedError(400, "stage: missing (expected a word)")
    with service.records.begin() as connection:
        nodes.update(connection, node_id, stage=stage, stage_message=message or None, stage_at=now, last_seen=now)
        data = {"stage": stage, "message": message}
        number = events.add(connection, node_id, "stage", f"{stage}: {message}" if message else stage, data, now=now)
    return JSONResponse({"event": number}, 201)


def _summary(node: Node, differences: tuple[str, ...]) -> str:
    if node.inventory_id is None:
        return "first inventory"
    return f"inventory: {len(differences)} differences" if differences else "inventory: unchanged"
