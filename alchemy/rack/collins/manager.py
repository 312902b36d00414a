"""A Collins as the rack service uses it: the data of a machine, and the calls that nodes may make."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from alchemy.rack import config
from alchemy.rack.collins.assets import Asset
from alchemy.rack.collins.client import Client, CollinsError
from alchemy.rack.collins.relay import Relay
from alchemy.rack.collins.watcher import Watcher
from alchemy.rack.identity import Keys
from alchemy.rack.records.database import Records, RecordsError
from alchemy.rack.records.nodes import Node


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Manager:
    """Follows a Collins from `start` to `stop`. Its methods may be called from any thread."""

    def __init__(self, settings: config.Collins, records: Records, clock: Callable[[], datetime] = _utc_now) -> None:
        self._client = Client(settings)
        self._watcher = Watcher(self._client, records, settings.poll, clock)
        self._relay = Relay(self._client, self._look)

    def start(self) -> None:
        """Starts to follow Collins, in threads."""
        self._watcher.start()

    def stop(self) -> None:
        """Stops following. A call that is under way ends with the process."""
        self._watcher.stop()

    def refresh(self) -> None:
        """Reads all assets now, and reports the burn-ins that have ended. Raises CollinsError, RecordsError."""
        self._watcher.refresh()

    def answered(self) -> datetime | None:
        """Returns when Collins last answered; None where it has not since the service started."""
        return self._watcher.answered()

    def remembered(self) -> datetime | None:
        """Returns when Collins last answered, also before the service started. Raises RecordsError."""
        return self._watcher.remembered()

    def find(self, keys: Keys) -> Asset | None:
        """Returns the asset of a machine, as Collins last showed it."""
        return self._watcher.find(keys)

    def call(self, node: Node, method: str, path: str, kind: str, body: bytes) -> tuple[HTTPStatus, dict[str, Any]]:
        """Passes on a call of a node. Raises RelayError, CollinsError (relay.Relay.call)."""
        return self._relay.call(node, method, path, kind, body)

    def _look(self, tag: str) -> None:
        # a change that is missed now is seen at the next poll
        with suppress(CollinsError, RecordsError):
            self._watcher.look(tag)
