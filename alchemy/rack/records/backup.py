"""Copies the records to a file while the rack is served.

To restore a copy, stop the service and put it in the place of records.sqlite, without records.sqlite-wal beside it.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from alchemy.errors import UserError
from alchemy.rack.records import database


def write(url: str, target: Path) -> None:
    """Writes a copy of the records in a file of SQLite, of one moment. Raises UserError; a target that exists stays.

    A reader of SQLite holds up no writer, so that the service goes on. `url`: as Records.open takes it.
    """
    parsed = database.parse(url)
    if parsed.drivername != "sqlite":
        server = parsed.set(drivername="postgresql").render_as_string(hide_password=True)
        raise UserError(
            "database: PostgreSQL makes its own backups", hint=f"pg_dump --format=custom --file={target} {server}"
        )
    source = Path(str(parsed.database))
    if not source.is_file():
        raise UserError(f"{source}: missing: no records to copy", hint="name the folder of `boot.serve --state`")
    part = target.with_name(f".{target.name}.part")
    try:
        if target.exists():
            raise UserError(f"{target}: exists already", hint=f"choose another name, or: rm {target}")
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            _copy(source, part)
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        raise UserError(f"{target}: the backup failed: {error}") from error


def _copy(source: Path, part: Path) -> None:
    uri = f"{source.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=10)) as records, closing(sqlite3.connect(part)) as copy:
        # all pages in one step: with several, a writer would make it begin again
        records.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        copy.execute("SELECT version FROM schema_version").fetchone()
        problems = [row[0] for row in copy.execute("PRAGMA quick_check(3)") if row[0] != "ok"]
        if problems:
            raise sqlite3.DatabaseError(f"corrupt: {'; '.join(problems)}")
    with part.open("rb") as file:
        os.fsync(file.fileno())
