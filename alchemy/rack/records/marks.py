"""Marks: when something last happened that is not an event, like an answer of Collins."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from alchemy.rack.records.schema import marks


def put(connection: Connection, name: str, at: datetime) -> None:
    """Sets the moment of a name."""
    if connection.execute(marks.update().where(marks.c.name == name).values(at=at)).rowcount == 0:
        connection.execute(marks.insert().values(name=name, at=at))


def get(connection: Connection, name: str) -> datetime | None:
    """Returns the moment of a name."""
    moment: datetime | None = connection.execute(select(marks.c.at).where(marks.c.name == name)).scalar()
    return moment
