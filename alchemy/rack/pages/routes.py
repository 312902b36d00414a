"""The pages, as routes of Starlette."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alchemy.rack.pages import answers, changes, forms, login, node, nodes, run, static, timeline
from alchemy.rack.pages.desk import Desk
from alchemy.rack.pages.live import Live
from alchemy.rack.pages.operators import DeniedError

Work = Callable[[Desk, Request], Response]
FormWork = Callable[[Desk, Request, Mapping[str, str]], Response]
JsonWork = Callable[[Desk, Request, Mapping[str, object]], Response]
Endpoint = Callable[[Request], Awaitable[Response]]


def routes(desk: Desk) -> list[Route]:
    """Returns the routes of all pages, and of the operators' calls below /v1. Each answers a DeniedError by itself."""
    reads: Mapping[str, Work] = {
        "/": nodes.answer,
        "/nodes": nodes.answer,
        "/nodes/{node}": node.answer,
        "/nodes/{node}/inventory": node.inventory,
        "/nodes/{node}/orders": changes.confirm,
        "/runs/{run}": run.answer,
        "/runs/{run}/run.jsonl": run.lines,
        "/events": timeline.answer,
        "/login": login.form,
        "/static/{name}": _static,
        "/v1/nodes": partial(nodes.answer, default="json"),
        "/v1/nodes/{node}": partial(node.answer, default="json"),
        "/v1/runs/{run}": partial(run.answer, default="json"),
        "/v1/events": partial(timeline.answer, default="json"),
    }
    writes: Mapping[str, FormWork] = {
        "/login": login.login,
        "/logout": login.logout,
        "/nodes/{node}/orders": changes.order,
        "/nodes/{node}/orders/cancel": changes.cancel,
        "/nodes/{node}/alarm": changes.clear_alarm,
        "/nodes/{node}/keys": changes.release_key,
    }
    live = Live(desk)
    return [
        *(Route(path, _reading(desk, work), methods=["GET"]) for path, work in reads.items()),
        *(Route(path, _writing(desk, work), methods=["POST"]) for path, work in writes.items()),
        Route("/v1/nodes/{node}/orders", _posting(desk, changes.post), methods=["POST"]),
        Route("/live", _guarded(live.answer), methods=["GET"]),
    ]


def _reading(desk: Desk, work: Work) -> Endpoint:
    async def answer(request: Request) -> Response:
        return await run_in_threadpool(work, desk, request)

    return _guarded(answer)


def _writing(desk: Desk, work: FormWork) -> Endpoint:
    async def answer(request: Request) -> Response:
        return await run_in_threadpool(work, desk, request, await forms.read(request))

    return _guarded(answer)


def _posting(desk: Desk, work: JsonWork) -> Endpoint:
    async def answer(request: Request) -> Response:
        return await run_in_threadpool(work, desk, request, await forms.read_json(request))

    return _guarded(answer)


def _guarded(endpoint: Endpoint) -> Endpoint:
    """Answers a DeniedError; a browser without a session is sent to the login."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except DeniedError as denial:
            tried = "authorization" in request.headers
            if denial.status == 401 and answers.is_browser(request) and not tried:
                return login.away(request)
            return answers.denied(request, denial)

    return answer


def _static(_desk: Desk, request: Request) -> Response:
    found = static.content(request.path_params["name"])
    if found is None:
        raise DeniedError(404, "static: no such file")
    # the URL changes with the content
    headers = {**answers.HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}
    return Response(found[0], headers=headers, media_type=found[1])
