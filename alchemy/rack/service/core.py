"""Holds what every handler needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Protocol

from anyio import CapacityLimiter

from alchemy.rack.collins.assets import Asset
from alchemy.rack.config import RackConfig
from alchemy.rack.identity import Keys
from alchemy.rack.records.database import Records
from alchemy.rack.records.nodes import Node
from alchemy.rack.service.limits import ADDRESS, BOOT, NODE, VOLUME, Limiter
from alchemy.rack.service.metrics import Metrics

# calls at once that may wait for the disk: enough to share its waits (records/turns.py)
_WRITERS = 32


class Collins(Protocol):
    """What the service needs of the manager that knows the status of machines (collins/manager.py)."""

    def start(self) -> None:
        """Starts to follow it."""

    def stop(self) -> None:
        """Stops following it."""

    def answered(self) -> datetime | None:
        """Returns when Collins last answered; None where it has not since the service started."""

    def remembered(self) -> datetime | None:
        """Returns when Collins last answered, also before the service started. Raises RecordsError."""

    def find(self, keys: Keys) -> Asset | None:
        """Returns the asset of a machine, as Collins last showed it."""

    def call(self, node: Node, method: str, path: str, kind: str, body: bytes) -> tuple[HTTPStatus, dict[str, Any]]:
        """Passes on a call of a node. Raises RelayError, CollinsError."""


def utc_now() -> datetime:
    """Returns the time, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Service:
    """The configuration, the records and the limits.

    `url` is where nodes reach the service, without a slash at its end; empty for the host that a request names.
    """

    config: RackConfig
    records: Records
    url: str = ""
    clock: Callable[[], datetime] = utc_now
    collins: Collins | None = None
    addresses: Limiter = field(default_factory=lambda: Limiter(ADDRESS))
    nodes: Limiter = field(default_factory=lambda: Limiter(NODE))
    boots: Limiter = field(default_factory=lambda: Limiter(BOOT))
    volume: Limiter = field(default_factory=lambda: Limiter(VOLUME))
    writers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_WRITERS))
    metrics: Metrics = field(default_factory=Metrics)
