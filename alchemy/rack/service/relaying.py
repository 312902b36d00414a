"""What a node asks of Collins through the service, which holds the password."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alchemy.rack.collins.client import CollinsError
from alchemy.rack.collins.relay import RelayError
from alchemy.rack.records import events, nodes
from alchemy.rack.records.nodes import Node
from alchemy.rack.service import tokens
from alchemy.rack.service.core import Service
from alchemy.rack.service.refusals import RefusedError

_HINT = "GET /v1/nodes/ID/collins says whether there is one"


def offer(service: Service, request: Request, _body: bytes) -> Response:
    """Answers GET /v1/nodes/ID/collins: whether there is a Collins for the intake to use."""
    _node(service, request)
    return JSONResponse({"collins": service.collins is not None})


def call(service: Service, request: Request, body: bytes) -> Response:
    """Answers calls below /v1/nodes/ID/collins/api/, as Collins answers them below /api/."""
    node = _node(service, request)
    if service.collins is None:
        raise RefusedError(404, "Collins: not configured (expected `collins` in rack.yml)", _HINT)
    path, kind = request.path_params["path"], request.headers.get("content-type", "").partition(";")[0].strip()
    try:
        status, document = service.collins.call(node, request.method, path, kind, body)
    except RelayError as error:
        if error.status != 404:
            _note(service, node, f"{request.method} {path[:100]}: {error}")
        raise RefusedError(error.status, str(error), error.hint) from error
    except CollinsError as error:
        raise RefusedError(502, f"Collins: {error}", "the node tries again", {"Retry-After": "5"}) from error
    if request.method != "GET":
        _note(service, node, f"{request.method} {path[:100]}: done")
    return JSONResponse(document, status, headers={"Cache-Control": "no-store"})


def _node(service: Service, request: Request) -> Node:
    """Returns the node of a request, which its token proves."""
    node_id = request.path_params["node"]
    with service.records.reading() as connection:
        tokens.boot(connection, request, node_id, service.clock())
        node = nodes.get(connection, node_id)
    if node is None:
        raise RefusedError(404, f"node {node_id[:20]}: unknown")
    return node


def _note(service: Service, node: Node, message: str) -> None:
    with service.records.begin() as connection:
        events.add(connection, node.id, "intake", message, now=service.clock())
