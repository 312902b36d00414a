"""Boots of nodes, and the token that proves a result to be of one."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, select

from alchemy.rack.records import nodes
from alchemy.rack.records.schema import boots

_BYTES = 32  # of a token: 256 bits


class TokenHeldError(Exception):
    """Another address holds a token of the node that has not expired: the node is there twice, or an impostor asks."""


@dataclass(frozen=True)
class Boot:
    """A boot of a node, as POST /v1/boots said it, and what was decided for it."""

    id: str
    node_id: str
    boot_id: str
    address: str
    profile: str
    reason: str
    began: datetime
    expires: datetime | None
    version: str | None = None


def begin(
    connection: Connection,
    node_id: str,
    boot_id: str,
    *,
    address: str,
    profile: str,
    reason: str,
    version: str | None,
    lifetime: timedelta | None,
    now: datetime,
) -> str | None:
    """Records a boot, and returns its token where a run is expected: where `lifetime` is not None.

    Tokens of earlier boots end. The same boot from the same address gets another token in place of its first, as the
    answer may have been lost. Raises TokenHeldError.
    """
    nodes.lock(connection, node_id)
    held = select(boots.c.id).where(boots.c.node_id == node_id, boots.c.token.is_not(None), boots.c.expires > now)
    if connection.execute(held.where(boots.c.address != address)).first() is not None:
        raise TokenHeldError("another address holds a token of the node")
    end(connection, node_id)
    token = secrets.token_urlsafe(_BYTES) if lifetime is not None else None
    row = {
        "node_id": node_id,
        "boot_id": boot_id,
        "address": address,
        "version": version,
        "profile": profile,
        "reason": reason,
        "token": None if token is None else _hash(token),
        "expires": None if lifetime is None else now + lifetime,
    }
    known = of(connection, node_id, boot_id)
    if known is None:
        connection.execute(boots.insert().values(**row, began=now))
    else:
        connection.execute(boots.update().where(boots.c.id == known.id).values(row))
    return token


def of(connection: Connection, node_id: str, boot_id: str) -> Boot | None:
    """Returns the boot that a node reported before, by its boot id: its decision stands."""
    query = select(boots).where(boots.c.node_id == node_id, boots.c.boot_id == boot_id).order_by(boots.c.id.desc())
    return _boot(connection.execute(query.limit(1)).mappings().first())


def latest(connection: Connection, node_id: str) -> Boot | None:
    """Returns the last boot of a node."""
    query = select(boots).where(boots.c.node_id == node_id).order_by(boots.c.id.desc()).limit(1)
    return _boot(connection.execute(query).mappings().first())


def authenticate(connection: Connection, token: str, node_id: str | None, *, now: datetime) -> Boot | None:
    """Returns the boot of a token; None where there is none, it has ended or expired, or it is another node's.

    `node_id` is None where the call names no node. The address does not count: a lease may end in the middle of a run.
    """
    query = select(boots).where(boots.c.token == _hash(token), boots.c.expires > now)
    boot = _boot(connection.execute(query).mappings().first())
    return boot if boot is not None and node_id in (None, boot.node_id) else None


def end(connection: Connection, node_id: str) -> None:
    """Ends the tokens of a node."""
    connection.execute(boots.update().where(boots.c.node_id == node_id, boots.c.token.is_not(None)).values(token=None))


def _hash(token: str) -> str:
    # a token is random, so that a plain hash is enough, and the index finds it
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _boot(row: RowMapping | None) -> Boot | None:
    return None if row is None else Boot(**{name: row[name] for name in Boot.__dataclass_fields__})
