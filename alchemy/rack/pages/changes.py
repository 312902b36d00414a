"""What operators change: orders (a form that asks for confirmation, or JSON), alarms, and keys of machines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from alchemy.errors import visible
from alchemy.rack.pages import answers, ordering, views
from alchemy.rack.pages.desk import Desk
from alchemy.rack.pages.node import find
from alchemy.rack.pages.operators import CSRF_FIELD, DeniedError, Operator
from alchemy.rack.records import events, nodes
from alchemy.rack.records.nodes import Node

# what the form offers, in hours
_HOURS: Mapping[str, str] = {"1": "1 hour", "8": "8 hours", "24": "1 day", "168": "7 days"}


def post(desk: Desk, request: Request, fields: Mapping[str, object]) -> Response:
    """Makes an order of a JSON client's, and answers with it."""
    operator = desk.operators.require(request, "operate")
    with desk.records.begin() as connection:
        node = find(connection, request)
        made = ordering.place(connection, desk.config, node, fields, operator, desk.clock())
    return answers.as_json(views.order(made), 201)


def confirm(desk: Desk, request: Request) -> Response:
    """Answers with what an order would do, and the form that makes it. Changes nothing."""
    operator = desk.operators.require(request, "operate")
    with desk.records.reading() as connection:
        node = find(connection, request)
    return _form(desk, operator, node, {"profile": request.query_params.get("profile", "")})


def order(desk: Desk, request: Request, fields: Mapping[str, str]) -> Response:
    """Makes an order, and goes back to the node; a refused one goes back to its form."""
    operator = desk.operators.require(request, "operate", fields.get(CSRF_FIELD, ""))
    now = desk.clock()
    with desk.records.begin() as connection:
        node = find(connection, request)
        hours = fields.get("hours", "")
        wanted: dict[str, object] = {
            "profile": fields.get("profile", ""),
            "once": fields.get("once", "") != "no",
            "expires": (now + timedelta(hours=int(hours))).isoformat() if hours in _HOURS else None,
            "confirm": fields.get("confirm", "").strip() or None,
        }
        try:
            ordering.place(connection, desk.config, node, wanted, operator, now)
        except DeniedError as denial:
            if wanted["profile"] not in desk.config.profiles:
                raise
            return _form(desk, operator, node, fields, denial)
    return answers.redirect(f"/nodes/{node.id}#orders")


def cancel(desk: Desk, request: Request, fields: Mapping[str, str]) -> Response:
    """Ends the open order of a node."""
    operator = desk.operators.require(request, "operate", fields.get(CSRF_FIELD, ""))
    with desk.records.begin() as connection:
        node = find(connection, request)
        ordering.cancel(connection, node, operator, desk.clock())
    return answers.redirect(f"/nodes/{node.id}#orders")


def clear_alarm(desk: Desk, request: Request, fields: Mapping[str, str]) -> Response:
    """Takes the alarm from a node, which an operator has looked into."""
    operator = desk.operators.require(request, "operate", fields.get(CSRF_FIELD, ""))
    now = desk.clock()
    with desk.records.begin() as connection:
        node = find(connection, request)
        if node.alarm is not None:
            nodes.update(connection, node.id, alarm=None, alarm_at=None)
            events.add(connection, node.id, "alarm", f"{operator.name} cleared: {node.alarm}", now=now)
    return answers.redirect(f"/nodes/{node.id}")


def release_key(desk: Desk, request: Request, fields: Mapping[str, str]) -> Response:
    """Has a key of a node identify no machine any more: a part has moved, or several machines have one serial."""
    operator = desk.operators.require(request, "operate", fields.get(CSRF_FIELD, ""))
    kind, value = fields.get("kind", ""), fields.get("value", "")
    with desk.records.begin() as connection:
        node = find(connection, request)
        if not nodes.release(connection, node.id, kind, value):
            raise DeniedError(400, f"{visible(kind)[:20]}: not a key of this node")
        message = f"{operator.name} released the {kind} {value}"
        events.add(connection, node.id, "key", message, now=desk.clock())
    return answers.redirect(f"/nodes/{node.id}")


def _form(
    desk: Desk, operator: Operator, node: Node, fields: Mapping[str, str], denial: DeniedError | None = None
) -> Response:
    profile = desk.config.profiles.get(fields.get("profile", ""))
    if profile is None:
        raise DeniedError(404, "profile: unknown", hint="the page of the node offers those of rack.yml")
    return answers.page(
        "order.html",
        200 if denial is None else denial.status,
        operator=operator,
        node=node,
        name=fields["profile"],
        profile=profile,
        fields=fields,
        hours=_HOURS,
        error="" if denial is None else denial.error,
    )
