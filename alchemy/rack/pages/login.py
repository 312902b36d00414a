"""GET and POST /login, POST /logout."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from alchemy.rack.pages import answers
from alchemy.rack.pages.desk import Desk
from alchemy.rack.pages.operators import COOKIE, CSRF_FIELD, DeniedError
from alchemy.rack.pages.sessions import SECONDS
from alchemy.rack.records import events

_LONGEST = 500


def form(desk: Desk, request: Request) -> Response:
    """Answers with the form; a user who is logged in goes on to `next`."""
    target = _target(request.query_params.get("next", ""))
    try:
        desk.operators.require(request, "view")
    except DeniedError:
        return answers.page("login.html", error="", hint="", next=target)
    return answers.redirect(target)


def login(desk: Desk, request: Request, fields: Mapping[str, str]) -> Response:
    """Opens a session, and goes on to `next`; for an API client the answer has the CSRF token."""
    target = _target(fields.get("next", ""))
    browser = answers.is_browser(request)
    try:
        cookie, operator = desk.operators.login(request, fields.get("username", ""), fields.get("password", ""))
    except DeniedError as denial:
        if not browser:
            raise
        answer = answers.page(
            "login.html",
            denial.status,
            error=denial.error,
            hint=denial.hint,
            next=target,
        )
        if "Retry-After" in denial.headers:
            answer.headers["Retry-After"] = denial.headers["Retry-After"]
        return answer
    now = desk.clock()
    with desk.records.begin() as connection:
        events.add(connection, None, "login", f"{operator.name} logged in", now=now)
    if browser:
        answer = answers.redirect(target)
    else:
        answer = answers.as_json({"operator": operator.name, "role": operator.role, CSRF_FIELD: operator.csrf})
    answer.set_cookie(
        COOKIE,
        cookie,
        max_age=int(SECONDS),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def logout(desk: Desk, request: Request, fields: Mapping[str, str]) -> Response:
    """Ends the session."""
    desk.operators.require(request, "view", fields.get(CSRF_FIELD, ""))
    desk.operators.logout(request)
    answer = answers.redirect("/login")
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return answer


def away(request: Request) -> Response:
    """Has a browser log in first, and come back."""
    query = f"?{request.url.query}" if request.url.query else ""
    target = _target(f"{request.url.path}{query}") if request.method == "GET" else "/"
    return answers.redirect("/login" if target == "/" else f"/login?next={quote(target, safe='')}")


def _target(path: str) -> str:
    """Returns a path of this service; `/` for anything that a browser could take for another site's."""
    local = path.startswith("/") and not path.startswith("//") and len(path) <= _LONGEST
    plain = path.isascii() and path.isprintable() and not {"\\", " "} & set(path)
    return path if local and plain and not path.startswith("/login") else "/"
