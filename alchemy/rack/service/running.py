"""Answers the calls about runs: begin one, append lines, read them back to resume."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alchemy.rack.records import events, nodes, runs
from alchemy.rack.records.runs import LineError, Run
from alchemy.rack.service import bodies, tokens
from alchemy.rack.service.core import Service
from alchemy.rack.service.refusals import RefusedError

# per request, and per answer
_MOST_LINES = 10_000
_PAGE_LINES = 1000
# characters per answer; the node accepts 8 MB
_PAGE = 4 << 20


def begin(service: Service, request: Request, body: bytes) -> Response:
    """Answers POST /v1/runs."""
    now = service.clock()
    fields = bodies.mapping(bodies.parse(body))
    wanted = fields.get("node")
    if isinstance(wanted, bool) or not isinstance(wanted, int | str):
        raise RefusedError(400, "node: missing (expected the id of a node)")
    with service.records.begin() as connection:
        boot = tokens.boot(connection, request, str(wanted), now)
        run = runs.open(connection, boot.node_id, boot.boot_id, profile=boot.profile, proven=True, now=now)
        nodes.update(connection, boot.node_id, last_seen=now)
        events.add(connection, boot.node_id, "run", f"run {run.id}: begun", {"run": run.id}, now=now)
    return JSONResponse({"run": run.id}, 201)


def append(service: Service, request: Request, body: bytes) -> Response:
    """Answers POST /v1/runs/ID/lines."""
    now = service.clock()
    before = _own(service, request)
    lines = bodies.parse(body)
    if not isinstance(lines, list) or len(lines) > _MOST_LINES:
        raise RefusedError(400, f"lines: expected a list of at most {_MOST_LINES} objects")
    try:
        with service.records.begin() as connection:
            run = runs.append(connection, before.id, lines, now=now)
            if run is None:
                raise _unknown(before.id)
            nodes.update(connection, run.node_id, last_seen=now)
            if run.ended is not None and before.ended is None:
                data = {"run": run.id, "status": run.status, "result": run.result}
                said = f"run {run.id}: {run.status} {run.result}"
                events.add(connection, run.node_id, "run", said, data, now=now)
    except LineError as error:
        raise RefusedError(400, str(error)) from error
    return JSONResponse({"run": run.id, "lines": run.lines})


def read(service: Service, request: Request, _body: bytes) -> Response:
    """Answers GET /v1/runs/ID/lines?from=N with a page of lines from that sequenceNumber on, as a JSON list."""
    run = _own(service, request)
    first = request.query_params.get("from", "0")
    if not (first.isascii() and first.isdecimal() and len(first) <= 16):
        raise RefusedError(400, "from: expected a sequenceNumber")
    with service.records.reading() as connection:
        lines = runs.lines(connection, run.id, first=int(first), limit=_PAGE_LINES)
    return Response("[" + ",".join(_page(lines)) + "]", media_type="application/json")


def _own(service: Service, request: Request) -> Run:
    """Returns the run in the path. Raises RefusedError: 403 if it belongs to another node."""
    run_id, now = request.path_params["run"], service.clock()
    with service.records.reading() as connection:
        boot = tokens.boot(connection, request, None, now)
        run = runs.get(connection, run_id)
    if run is None:
        raise _unknown(run_id)
    if run.node_id != boot.node_id:
        raise RefusedError(403, f"token: wrong node (run {run.id} belongs to another one)")
    return run


def _page(lines: list[str]) -> Iterator[str]:
    """Yields lines up to the size of an answer, and at least one."""
    size = 0
    for line in lines:
        size += len(line)
        if size > _PAGE and size > len(line):
            return
        yield line


def _unknown(run_id: str) -> RefusedError:
    return RefusedError(404, f"run {run_id[:20]}: unknown")
