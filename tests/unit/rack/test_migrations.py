"""The schema: made, brought up from every earlier version, and never half a step ahead."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import Connection, inspect, select, text

from alchemy.errors import UserError
from alchemy.rack.records import events, inventories, migrations, nodes, runs
from alchemy.rack.records.database import FILE, Records, default_url
from alchemy.rack.records.schema import metadata, versions

DUMPS = Path(__file__).with_name("schemas")


def test_the_steps_make_what_the_queries_use(records: Records) -> None:
    with records.reading() as connection:
        found = inspect(connection)
        assert set(found.get_table_names()) == set(metadata.tables)
        for table in metadata.sorted_tables:
            columns = {column["name"]: column for column in found.get_columns(table.name)}
            assert set(columns) == set(table.columns.keys())
            primary = found.get_pk_constraint(table.name)["constrained_columns"]
            assert primary == [column.name for column in table.primary_key], table.name
            for column in table.columns:
                if not column.primary_key:
                    assert columns[column.name]["nullable"] == column.nullable, f"{table.name}.{column.name}"
                assert _kind(columns[column.name]["type"]) == _kind(column.type.dialect_impl(connection.dialect))
            indexes = {
                index["name"]: (index["column_names"], bool(index["unique"])) for index in found.get_indexes(table.name)
            }
            assert indexes == {
                index.name: ([each.name for each in index.columns], index.unique) for index in table.indexes
            }
            keys = {
                (key["constrained_columns"][0], key["referred_table"]) for key in found.get_foreign_keys(table.name)
            }
            assert keys == {(key.parent.name, key.column.table.name) for key in table.foreign_keys}


def _kind(column_type: object) -> str:
    """Returns the family of a type: numbers of all lengths are one, as a database has its own."""
    kind = getattr(column_type, "impl", column_type)
    families = (sqlalchemy.Boolean, sqlalchemy.DateTime, sqlalchemy.LargeBinary, sqlalchemy.Integer, sqlalchemy.String)
    return next((family.__name__ for family in families if isinstance(kind, family)), type(kind).__name__)


def test_every_released_schema_has_a_dump() -> None:
    assert sorted(path.name for path in DUMPS.iterdir()) == [
        f"{version}.sql" for version in range(1, len(migrations.STEPS) + 1)
    ]


@pytest.mark.parametrize("version", range(1, len(migrations.STEPS) + 1))
def test_records_of_an_earlier_version(tmp_path: Path, version: int) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.executescript((DUMPS / f"{version}.sql").read_text(encoding="utf-8"))
    records = Records.open(default_url(tmp_path))
    try:
        with records.reading() as connection:
            node = nodes.get(connection, "1")
            assert node is not None
            assert (node.keys.serial, node.model, node.port) == ("S-1", "Box 2", "tor-7 Ethernet1/12")
            run = runs.passed(connection, "1")
            assert run is not None
            assert [len(runs.lines(connection, run.id)), run.lines] == [2, 2]
            assert inventories.read(connection, node.inventory_id or "") is not None
            assert [event.kind for event in events.since(connection)] == ["boot"]
            assert connection.execute(select(versions.c.version)).scalar_one() == len(migrations.STEPS)
    finally:
        records.close()


def test_records_of_a_newer_version_are_refused(tmp_path: Path) -> None:
    Records.open(default_url(tmp_path)).close()
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.execute("UPDATE schema_version SET version = 99")
        connection.commit()
    with pytest.raises(UserError, match=r"^database: schema version 99 is newer than this Alchemy's"):
        Records.open(default_url(tmp_path))


def test_steps_are_applied_once_and_in_order(records: Records) -> None:
    def add(column: str) -> migrations.Step:
        def step(connection: Connection) -> None:
            connection.execute(text(f"ALTER TABLE nodes ADD COLUMN {column} TEXT"))

        return step

    steps = (*migrations.STEPS, add("one"), add("two"))
    for _ in range(2):
        with records.begin() as connection:
            assert migrations.migrate(connection, steps) == len(steps)
    with records.reading() as connection:
        names = [column["name"] for column in inspect(connection).get_columns("nodes")]
        assert names[-2:] == ["one", "two"]


def test_a_step_that_fails_leaves_the_schema_as_it_was(records: Records) -> None:
    def fail(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE nodes ADD COLUMN one TEXT"))
        raise OSError("power")

    with pytest.raises(OSError, match=r"^power$"), records.begin() as connection:
        migrations.migrate(connection, (*migrations.STEPS, fail))
    with records.reading() as connection:
        assert "one" not in {column["name"] for column in inspect(connection).get_columns("nodes")}
        assert connection.execute(select(versions.c.version)).scalar_one() == len(migrations.STEPS)
