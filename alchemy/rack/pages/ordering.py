"""Places the orders of operators: what a node boots next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from alchemy.errors import visible
from alchemy.rack.config import RackConfig
from alchemy.rack.pages import views
from alchemy.rack.pages.operators import DeniedError, Operator
from alchemy.rack.records import events, orders
from alchemy.rack.records.nodes import Node
from alchemy.rack.records.orders import Order

_FIELDS = frozenset({"profile", "once", "expires", "confirm"})
_LONGEST = 366  # days that an order may count


def place(
    connection: Connection, config: RackConfig, node: Node, fields: Mapping[str, object], by: Operator, now: datetime
) -> Order:
    """Makes an order of `profile`, `once` (default true), `expires` (RFC 3339) and `confirm` (the serial).

    Raises DeniedError (400) with the reason for which it is refused.
    """
    unknown = sorted(set(fields) - _FIELDS)
    if unknown:
        raise _refused(f"{visible(unknown[0])[:40]}: unknown field (expected {', '.join(sorted(_FIELDS))})")
    name, once, confirm = fields.get("profile"), fields.get("once", True), fields.get("confirm")
    if not isinstance(name, str) or name not in config.profiles:
        raise _refused(f"profile: unknown (expected one of: {', '.join(sorted(config.profiles))})")
    if not isinstance(once, bool):
        raise _refused("once: invalid (expected true or false)")
    if confirm is not None and not isinstance(confirm, str):
        raise _refused("confirm: invalid (expected the serial of the node)")
    profile = config.profiles[name]
    try:
        made = orders.set(
            connection,
            node,
            name,
            once=once,
            destructive=profile.destructive,
            expires=_expiry(fields.get("expires"), now),
            confirm=confirm,
            operator=by.name,
            now=now,
        )
    except ValueError as error:
        raise _refused(str(error)) from error
    until = "" if made.expires is None else f", until {made.expires:%Y-%m-%d %H:%M} UTC"
    message = f"{by.name} ordered {name} {'once' if once else 'until it is cancelled'}{until}"
    events.add(connection, node.id, "order", message, {"order": made.id, "profile": name}, now=now)
    return made


def cancel(connection: Connection, node: Node, by: Operator, now: datetime) -> bool:
    """Ends the open order of a node; returns whether there was one."""
    ended = orders.cancel(connection, node.id, now=now)
    if ended:
        events.add(connection, node.id, "order", f"{by.name} cancelled the order", now=now)
    return ended


def _expiry(value: object, now: datetime) -> datetime | None:
    if value is None:
        return None
    try:
        moment = views.moment(value).astimezone(UTC) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        raise _refused("expires: invalid (expected a time of RFC 3339, like 2030-01-31T12:00:00Z)")
    if moment > now + timedelta(days=_LONGEST):
        raise _refused(f"expires: too late (expected at most {_LONGEST} days from now)")
    return moment


def _refused(problem: str) -> DeniedError:
    return DeniedError(400, problem)
