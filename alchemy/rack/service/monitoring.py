"""Answers the calls of monitoring: health and metrics."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from alchemy.rack.records import counts
from alchemy.rack.service import metrics
from alchemy.rack.service.core import Service


def health(service: Service, _request: Request, _body: bytes) -> Response:
    """Answers GET /healthz: 200 while the records answer, else 503."""
    with service.records.reading() as connection:
        counts.nodes(connection)
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


def figures(service: Service, _request: Request, _body: bytes) -> Response:
    """Answers GET /metrics."""
    with service.records.reading() as connection:
        gauges: dict[str, dict[metrics.Labels, float]] = {
            "alchemy_nodes": {
                (("status", status), ("stage", stage)): count
                for (status, stage), count in counts.nodes(connection).items()
            },
            "alchemy_alarms": {(): counts.alarms(connection)},
            "alchemy_open_runs": {(): counts.open_runs(connection)},
        }
    answered = None if service.collins is None else service.collins.answered()
    if answered is not None:
        gauges["alchemy_collins_answered_timestamp_seconds"] = {(): answered.timestamp()}
    return PlainTextResponse(service.metrics.text(gauges), media_type=metrics.CONTENT_TYPE)
