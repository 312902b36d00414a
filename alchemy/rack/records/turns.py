"""Turns to write to SQLite, which has one writer at a time, and shares its waits for the disk.

A commit waits until the disk has it. So a caller that has written leaves the transaction open for the next one that
waits, and the last of them commits for all. Nobody goes on before that: a confirmed record survives a loss of power.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, exc

# A transaction is committed when this many have written, or after this many seconds, though others wait.
_MOST = 64
_LONGEST = 0.05
# seconds between two looks whether a commit is left to this caller
_LOOK = 0.05


class BusyError(Exception):
    """The turn did not come in time."""


class LostError(Exception):
    """The database undid a change because of another one in the same transaction."""


@dataclass(eq=False)
class _Group:
    """A transaction, and those who have written in it. `error` is why nothing of it is kept; None until that is known
    and where all is."""

    connection: Connection
    began: float = field(default_factory=time.monotonic)
    members: int = 0
    error: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def is_whole(self) -> bool:
        """Returns whether SQLite still has the transaction: a full disk, for one, makes it undo all of it."""
        driver: Any = self.connection.connection.dbapi_connection
        return bool(driver.in_transaction)

    def end(self) -> None:
        """Commits, and lets the members go on."""
        try:
            if self.error is None:
                self.connection.commit()
        except BaseException as error:
            self.error = error
        finally:
            with suppress(exc.SQLAlchemyError):
                if self.error is not None:
                    # another transaction gets another connection, whatever state this one is in
                    self.connection.invalidate()
                self.connection.close()
            self.done.set()


class Turns:
    """Gives writers of one engine their turns."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0
        self._group: _Group | None = None

    @contextmanager
    def take(self, patience: float) -> Iterator[Connection]:
        """Gives a connection whose changes are committed at the end, and undone by any exception.

        Raises BusyError where the turn does not come within `patience` seconds, and what the database raises.
        """
        self._wait(patience)
        try:
            group = self._group = self._group or self._begin()
            try:
                with group.connection.begin_nested():
                    yield group.connection
            except BaseException as error:
                if not group.is_whole():
                    group.error = error if isinstance(error, exc.DBAPIError) else LostError()
                raise
            group.members += 1
        finally:
            self._hand_on()
        self._await(group)

    def _begin(self) -> _Group:
        connection = self._engine.connect()
        try:
            connection.begin()
        except BaseException:
            connection.close()
            raise
        return _Group(connection)

    def _wait(self, patience: float) -> None:
        with self._counting:
            self._waiting += 1
        try:
            if not self._turn.acquire(timeout=patience):
                raise BusyError
        finally:
            with self._counting:
                self._waiting -= 1

    def _hand_on(self) -> None:
        """Ends the transaction unless somebody waits to write in it, too; then lets the next one write."""
        group = self._group
        if group is not None and (
            not self._waiting
            or group.error is not None
            or group.members >= _MOST
            or time.monotonic() - group.began > _LONGEST
        ):
            self._group = None
            group.end()
        self._turn.release()

    def _await(self, group: _Group) -> None:
        """Waits until the group has been committed. Raises what keeps it from that."""
        while not group.done.wait(_LOOK):
            # whoever waited may have given up
            if self._turn.acquire(blocking=False):
                self._hand_on()
        if group.error is not None:
            raise group.error
