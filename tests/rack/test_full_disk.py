"""The records on a disk that is really full: what was confirmed stays, and work goes on when there is room again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from alchemy.rack.records import events, nodes
from alchemy.rack.records.database import Records, RecordsError, default_url
from tests.unit.rack.samples import NOW, keys, node


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(tmp_path)], check=True)
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_disk_that_fills_up(small_disk: Path) -> None:
    records = Records.open(default_url(small_disk))
    try:
        with records.begin() as connection:
            known = node(connection)
        confirmed: list[int] = []
        with pytest.raises(RecordsError, match=r"^database: database or disk is full$"):
            _fill(records, known.id, confirmed)
        assert confirmed
        with records.reading() as connection:
            assert [event.id for event in events.since(connection, limit=100_000)] == confirmed
            assert nodes.match(connection, keys()).node == known
        subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
        with records.begin() as connection:
            again = events.add(connection, known.id, "stage", "there is room again", now=NOW)
        with records.reading() as connection:
            assert events.last_id(connection) == again
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    finally:
        records.close()


def _fill(records: Records, node_id: str, confirmed: list[int]) -> NoReturn:
    """Adds events, three a transaction, until the disk is full, and notes those that were confirmed."""
    while True:
        with records.begin() as connection:
            added = [events.add(connection, node_id, "stage", "x" * 2000, now=NOW) for _ in range(3)]
        confirmed += added
