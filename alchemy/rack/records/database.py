"""Opens the database of the records: a file of SQLite, or PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, event, exc, make_url

from alchemy.errors import UserError
from alchemy.rack.records import migrations
from alchemy.rack.records.turns import BusyError, LostError, Turns

# the file of SQLite, in the state folder
FILE = "records.sqlite"

_SCHEMES = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
# seconds that a call waits for its turn to write, for a connection, and for PostgreSQL to answer
_PATIENCE = 10


class RecordsError(UserError):
    """The database does not answer, is full, or refused a change: nothing of the transaction is kept."""


class Records:
    """The records. Its methods may be called from any thread."""

    def __init__(self, writing: Engine, reading: Engine) -> None:
        """Takes the engines of Records.open."""
        self._writing = writing
        self._reading = reading
        self._turns = Turns(writing) if writing.dialect.name == "sqlite" else None

    @classmethod
    def open(cls, url: str) -> Records:
        """Opens the database of a URL, makes it where it is missing, and migrates it.

        `url`: `sqlite:///PATH`, or `postgresql://USER@HOST/NAME`. Raises UserError.
        """
        parsed = parse(url)
        records = _sqlite(parsed) if parsed.drivername == "sqlite" else _postgresql(parsed)
        try:
            with records.begin() as connection:
                migrations.migrate(connection)
        except BaseException:
            records.close()
            raise
        return records

    def close(self) -> None:
        """Closes all connections."""
        self._reading.dispose()
        self._writing.dispose()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Gives a connection in a transaction that is committed at the end, and undone by any exception.

        What was committed survives a loss of power. Raises RecordsError where the database fails, also from inside.
        """
        with _failures_named():
            if self._turns is None:
                with self._writing.begin() as connection:
                    yield connection
            else:
                with self._turns.take(_PATIENCE) as connection:
                    yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Gives a connection that refuses to write. With SQLite it waits for no writer. Raises RecordsError."""
        with _failures_named(), self._reading.begin() as connection:
            yield connection


def default_url(state: Path) -> str:
    """Returns the URL of the database in a state folder."""
    return URL.create("sqlite", database=str(state.resolve() / FILE)).render_as_string(hide_password=False)


def parse(url: str) -> URL:
    """Returns a URL of SQLite or PostgreSQL, with the driver. Raises UserError."""
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        raise UserError("database: not a URL (expected postgresql://USER@HOST/NAME)") from error
    scheme = _SCHEMES.get(parsed.get_backend_name())
    if scheme is None or (scheme == "sqlite" and not parsed.database):
        raise UserError(
            f"database: unsupported URL (expected sqlite:///PATH or postgresql://…, got {parsed.drivername}://…)"
        )
    return parsed.set(drivername=scheme)


def _sqlite(url: URL) -> Records:
    path = Path(str(url.database))
    try:
        # results and serials are nobody's business; SQLite gives the files beside it the same mode
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise UserError(f"{path}: cannot be opened: {error.strerror}") from error
    writing, reading = (sqlalchemy.create_engine(url, pool_size=20, max_overflow=30) for _ in range(2))
    _prepare(writing, "IMMEDIATE", ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"))
    _prepare(reading, "DEFERRED", ("query_only = ON",))
    return Records(writing, reading)


def _prepare(engine: Engine, mode: str, pragmas: tuple[str, ...]) -> None:
    """Sets up each connection, and has transactions begin in a mode of SQLite's."""

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _: object) -> None:
        # the driver begins no transaction by itself, so that schema changes are part of one, too
        connection.isolation_level = None
        for pragma in (f"busy_timeout = {_PATIENCE * 1000}", *pragmas):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {mode}")


def _postgresql(url: URL) -> Records:
    engine = sqlalchemy.create_engine(
        url,
        pool_size=20,
        max_overflow=30,
        pool_timeout=_PATIENCE,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": _PATIENCE,
            # a server whose network is cut says nothing: these end the wait for it (milliseconds, then seconds)
            "tcp_user_timeout": _PATIENCE * 1000,
            "keepalives_idle": _PATIENCE,
            "keepalives_interval": 5,
            "keepalives_count": 2,
        },
    )
    return Records(engine, engine.execution_options(postgresql_readonly=True))


@contextmanager
def _failures_named() -> Iterator[None]:
    """Raises RecordsError for what a database is to blame for; a statement that is wrong stays an error of ours."""
    try:
        yield
    except (exc.ProgrammingError, exc.DataError, exc.NotSupportedError):
        raise
    except exc.DBAPIError as error:
        # only what the database says: the statement has values of records
        raise RecordsError(f"database: {error.orig}") from error
    except BusyError as error:
        raise RecordsError(f"database: busy for {_PATIENCE} s with other changes") from error
    except LostError as error:
        raise RecordsError("database: undone, as a change at the same time failed") from error
    except exc.TimeoutError as error:
        raise RecordsError("database: all connections are in use") from error
