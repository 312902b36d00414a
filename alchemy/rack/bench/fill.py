"""Fills records with nodes that a rack has had for a while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from alchemy.rack.identity import Keys
from alchemy.rack.records import nodes, runs
from alchemy.rack.records.database import Records

_MODELS = ("EX-1", "EX-2", "EX-3")
_STATUSES = ("New", "Allocated", "Provisioned", "Maintenance")
_AT_ONCE = 1000


def fill(url: str, count: int) -> None:
    """Adds `count` nodes, each with a model, a switch port and a status, and every second one with a burn-in."""
    records = Records.open(url)
    try:
        for first in range(0, count, _AT_ONCE):
            _some(records, range(first, min(first + _AT_ONCE, count)))
    finally:
        records.close()


def _some(records: Records, numbers: range) -> None:
    now = datetime.now(UTC)
    with records.begin() as connection:
        for number in numbers:
            seen = now - timedelta(minutes=number)
            serial = f"OLD{number:07d}"
            keys = Keys(
                serial=serial, macs=(f"52:55:00:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",)
            )
            node = nodes.create(connection, keys, now=seen)
            nodes.update(
                connection,
                node.id,
                model=_MODELS[number % len(_MODELS)],
                vendor="Example",
                port=f"rack{number // 40:03d} port {number % 40}",
                tag=f"T{number:07d}",
                status=_STATUSES[number % len(_STATUSES)],
                profile="local",
                reason="no rule matches Allocated",
                stage="system",
                stage_at=seen,
            )
            if number % 2:
                run = runs.open(connection, node.id, serial, profile="burnin", proven=True, now=seen)
                runs.finish(connection, run.id, "COMPLETE", "FAIL" if number % 20 == 1 else "PASS", now=seen)
