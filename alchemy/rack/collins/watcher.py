"""Keeps what Collins says of the machines: all of it at each poll, and changes at once by the firehose.

While Collins is down its last answer stays, with the time at which it was given.
"""

from __future__ import annotations

import json
import logging
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from alchemy.rack.collins import assets, reports
from alchemy.rack.collins.assets import Asset, Assets
from alchemy.rack.collins.client import Client, CollinsError
from alchemy.rack.identity import Keys
from alchemy.rack.records import events, managed, marks, nodes
from alchemy.rack.records.database import Records, RecordsError
from alchemy.rack.records.managed import Standing

_LONGEST_PAUSE = 600.0  # seconds between two attempts to hear the firehose
_MARK = "collins"
_GONE = frozenset({"asset_delete", "asset_purge"})

_log = logging.getLogger(__name__)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Watcher:
    """Follows one Collins in two threads, from `start` to `stop`. `poll` is in seconds."""

    def __init__(self, client: Client, records: Records, poll: float, clock: Callable[[], datetime] = _utc_now) -> None:
        self._client = client
        self._records = records
        self._poll = poll
        self._clock = clock
        self._assets = Assets()
        self._answered: datetime | None = None
        self._problem = ""
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def answered(self) -> datetime | None:
        """Returns when Collins last answered; None where it has not since the service started."""
        return self._answered

    def remembered(self) -> datetime | None:
        """Returns when Collins last answered, also before the service started. The statuses in the records are of then.

        A machine without one may still be known to Collins: only `answered` tells. Raises RecordsError.
        """
        if self._answered is not None:
            return self._answered
        with self._records.reading() as connection:
            return marks.get(connection, _MARK)

    def find(self, keys: Keys) -> Asset | None:
        """Returns the asset of a machine, as Collins last showed it."""
        return self._assets.find(keys)

    def start(self) -> None:
        """Starts to follow."""
        for follow in (self._poll_forever, self._listen_forever):
            thread = threading.Thread(target=follow, name=follow.__name__.strip("_"), daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stops following. A call that is under way ends with the process."""
        self._over.set()

    def refresh(self) -> None:
        """Reads all servers, notes the changes in the records, and reports the burn-ins that have ended.

        Raises CollinsError, RecordsError.
        """
        found = self._client.servers()
        listed = {asset.tag for asset in found}
        # an asset that is deleted while the pages are read moves another one out of them
        missing = [tag for tag in self._assets.tags() if tag not in listed]
        found += [asset for tag in missing if (asset := self._client.asset(tag)) is not None]
        self._assets.replace(found)
        self._answered = self._clock()
        with self._records.reading() as connection:
            known = managed.everyone(connection)
        self._note(known)
        with self._records.begin() as connection:
            marks.put(connection, _MARK, self._answered)
        reports.send(self._client, self._records, self.find, self._clock())

    def look(self, tag: str) -> None:
        """Reads one asset, whose status may be another one now. Raises CollinsError, RecordsError."""
        asset = self._client.asset(tag)
        if asset is None:
            self._assets.remove(tag)
        else:
            self._put(asset)

    def take(self, event: str) -> None:
        """Takes an event of the firehose (FirehoseProcessor.scala). Malformed ones are ignored."""
        try:
            found: Any = json.loads(event)
            asset = assets.parse(found["data"])
        except (ValueError, LookupError, TypeError, RecursionError):
            return
        if asset.kind != assets.SERVER:
            return
        if found.get("name") in _GONE:
            self._assets.remove(asset.tag)
            self._note_owners(asset)
        else:
            self._put(asset)

    def _put(self, asset: Asset) -> None:
        self._assets.put(asset)
        self._answered = self._clock()
        self._note_owners(asset)

    def _note_owners(self, asset: Asset) -> None:
        with self._records.reading() as connection:
            owners = managed.concerned(connection, _keys(asset))
        self._note(owners)

    def _note(self, known: list[Standing]) -> None:
        """Writes status and state of each node where they have changed, with the time and an event."""
        changed = [(node, asset) for node in known if _differs(node, asset := self._assets.find(node.keys))]
        if not changed:
            return
        now = self._clock()
        with self._records.begin() as connection:
            for node, asset in changed:
                tag, status, state = _said(asset)
                nodes.update(connection, node.node_id, tag=tag, status=status, state=state, status_at=now)
                message = f"{_shown(node.status, node.state)} -> {_shown(status, state)}"
                events.add(connection, node.node_id, "collins", message, {"tag": tag}, now=now)

    def _poll_forever(self) -> None:
        while not self._over.is_set():
            try:
                self.refresh()
                self._tell("")
            except (CollinsError, RecordsError) as error:
                self._tell(str(error))
            except Exception:
                # a bug of ours, with one asset or one run, must not end all polls
                _log.exception("collins: the poll failed: a bug")
            self._over.wait(self._poll)

    def _listen_forever(self) -> None:
        pause = 1.0
        while not self._over.is_set():
            try:
                for event in self._client.firehose():
                    pause = 1.0
                    self.take(event)
                    if self._over.is_set():
                        return
            except (CollinsError, RecordsError) as error:
                _log.debug("firehose: %s", error)
            except Exception:
                # as above
                _log.exception("collins: the firehose failed: a bug")
            # several services must not come back in step
            self._over.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _tell(self, problem: str) -> None:
        """Notes once that Collins is down, and once that it is back."""
        if problem == self._problem:
            return
        self._problem = problem
        _log.log(logging.WARNING if problem else logging.INFO, "collins: %s", problem or "answers again")


def _keys(asset: Asset) -> Keys:
    return Keys(serial=asset.serial or None, asset_tag=asset.tag, macs=asset.macs)


def _said(asset: Asset | None) -> tuple[str | None, str | None, str | None]:
    return (None, None, None) if asset is None else (asset.tag, asset.status, asset.state or None)


def _differs(node: Standing, asset: Asset | None) -> bool:
    return (node.tag, node.status, node.state) != _said(asset)


def _shown(status: str | None, state: str | None) -> str:
    return f"{status}/{state}" if state else status or "unknown to Collins"
