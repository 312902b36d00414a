"""A backup: a whole copy of one moment, while the service writes."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from alchemy.errors import UserError
from alchemy.rack.records import backup, events, nodes
from alchemy.rack.records.database import FILE, Records, default_url
from tests.unit.rack.samples import NOW, node


def test_a_backup_is_restored(records: Records, tmp_path: Path) -> None:
    with records.begin() as connection:
        known = node(connection)
    other = tmp_path / "other"
    other.mkdir()
    target = other / FILE
    backup.write(default_url(tmp_path), target)
    assert [path.name for path in other.iterdir()] == [FILE]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    restored = Records.open(default_url(other))
    try:
        with restored.begin() as connection:
            assert nodes.get(connection, known.id) == known
            node(connection, 2)
    finally:
        restored.close()


def test_a_backup_while_the_service_writes(records: Records, tmp_path: Path) -> None:
    stopping = threading.Event()
    written: list[int] = []

    def work() -> None:
        while not stopping.is_set():
            with records.begin() as connection:
                # two events a transaction: a copy of half a transaction would show
                written.append(events.add(connection, None, "stage", "first", now=NOW))
                written.append(events.add(connection, None, "stage", "second", now=NOW))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for number in range(5):
            at_least = len(written)
            folder = tmp_path / str(number)
            folder.mkdir()
            backup.write(default_url(tmp_path), folder / FILE)
            copied = Records.open(default_url(folder))
            with copied.reading() as connection:
                found = [event.message for event in events.since(connection, limit=100_000)]
            copied.close()
            assert len(found) >= at_least - 2
            assert found == ["first", "second"] * (len(found) // 2)
    finally:
        stopping.set()
        thread.join()


def test_no_records(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"records.sqlite: missing: no records to copy"):
        backup.write(default_url(tmp_path), tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_exists_stays(records: Records, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.write_text("precious")
    with pytest.raises(UserError, match=r"copy: exists already"):
        backup.write(default_url(tmp_path), target)
    assert target.read_text() == "precious"


@pytest.mark.parametrize("content", [b"text " * 1000, b""])
def test_a_file_that_has_no_records(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(UserError, match=r"copy: the backup failed: "):
        backup.write(default_url(tmp_path), tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_folder_that_is_missing(records: Records, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"copy: the backup failed: .*No such file or directory"):
        backup.write(default_url(tmp_path), tmp_path / "missing" / "copy")


def test_a_copy_that_an_earlier_backup_left_half_done(records: Records, tmp_path: Path) -> None:
    (tmp_path / ".copy.part").write_bytes(b"half")
    backup.write(default_url(tmp_path), tmp_path / "copy")
    assert not (tmp_path / ".copy.part").exists()


def test_a_server_makes_its_own_backups(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^database: PostgreSQL makes its own backups") as caught:
        backup.write("postgresql://kim@db.example/rack", tmp_path / "copy")
    assert caught.value.hint == f"pg_dump --format=custom --file={tmp_path}/copy postgresql://kim@db.example/rack"
