"""The database: what is committed stays, what fails is named and leaves nothing."""

from __future__ import annotations

import re
import signal
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy import Connection, exc, text

from alchemy.errors import UserError
from alchemy.rack.records import database, events, nodes, runs
from alchemy.rack.records.database import FILE, Records, RecordsError, default_url
from tests import repository
from tests.unit.rack.samples import NOW, node, run


def test_the_file_is_of_the_owner_alone(records: Records, tmp_path: Path) -> None:
    with records.begin() as connection:
        node(connection)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert found == dict.fromkeys((FILE, f"{FILE}-shm", f"{FILE}-wal"), 0o600)


def test_a_commit_is_on_the_disk(records: Records) -> None:
    with records.begin() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys")
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in pragmas]
    assert found == ["wal", 2, 1]  # 2 is FULL


def test_an_exception_undoes_the_transaction(records: Records) -> None:
    def fail(connection: Connection) -> NoReturn:
        node(connection)
        raise KeyError

    with pytest.raises(KeyError), records.begin() as connection:
        fail(connection)
    with records.reading() as connection:
        assert nodes.get(connection, "1") is None


def test_a_reader_cannot_write(records: Records) -> None:
    said = r"^database: attempt to write a readonly database$"
    with pytest.raises(RecordsError, match=said), records.reading() as connection:
        node(connection)


def test_a_writer_holds_up_no_reader(records: Records) -> None:
    with records.begin() as writer:
        known = node(writer)
        with records.reading() as reader:
            assert nodes.get(reader, known.id) is None
    with records.reading() as reader:
        assert nodes.get(reader, known.id) is not None


def test_writers_take_turns(records: Records) -> None:
    with records.begin() as connection:
        begun = run(connection, node(connection).id)

    def resume(_: int) -> int:
        with records.begin() as connection:
            return runs.resume(connection, begun.id, now=NOW)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(resume, range(80))) == list(range(1, 81))


def test_a_writer_that_waits_too_long_is_told(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_PATIENCE", 0.01)
    caught: list[RecordsError] = []

    def wait() -> None:
        try:
            with records.begin():
                pass
        except RecordsError as error:
            caught.append(error)

    with records.begin():
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
    assert [error.message for error in caught] == ["database: busy for 0.01 s with other changes"]


def test_a_full_disk_is_named_and_leaves_nothing_half_written(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        size = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

    def fill(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {size + 4}")
        for number in range(1000):
            events.add(connection, known.id, "stage", f"{number} {'x' * 1000}", now=NOW)

    with pytest.raises(RecordsError, match=r"^database: database or disk is full$"), records.begin() as connection:
        fill(connection)
    with records.begin() as connection:
        assert events.since(connection) == []
        assert nodes.get(connection, known.id) == known
        assert connection.exec_driver_sql("PRAGMA quick_check").scalar_one() == "ok"
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        events.add(connection, known.id, "stage", "there is room again", now=NOW)


_WRITER = """
import sys
from datetime import UTC, datetime
from alchemy.rack.records import events
from alchemy.rack.records.database import Records
records = Records.open(sys.argv[1])
while True:
    with records.begin() as connection:
        number = events.add(connection, None, "stage", "x" * 500, now=datetime.now(UTC))
    print(number, flush=True)
"""


def test_nothing_acknowledged_is_lost_by_a_kill(tmp_path: Path, real_processes: None) -> None:
    url = default_url(tmp_path)
    acknowledged: list[int] = []
    for _ in range(3):
        command = [sys.executable, "-c", _WRITER, url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=repository.ROOT) as writer:
            assert writer.stdout is not None
            acknowledged += [int(writer.stdout.readline()) for _ in range(20)]
            writer.send_signal(signal.SIGKILL)
            acknowledged += [int(line) for line in writer.stdout.read().splitlines() if line]
    records = Records.open(url)
    with records.reading() as connection:
        kept = {event.id for event in events.since(connection, limit=100_000)}
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    records.close()
    assert set(acknowledged) <= kept


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("records.sqlite", "database: not a URL (expected postgresql://USER@HOST/NAME)"),
        ("", "database: not a URL (expected postgresql://USER@HOST/NAME)"),
        (
            "mysql://kim:secret@db/rack",
            "database: unsupported URL (expected sqlite:///PATH or postgresql://…, got mysql://…)",
        ),
        ("sqlite://", "database: unsupported URL (expected sqlite:///PATH or postgresql://…, got sqlite://…)"),
        ("sqlite:////dev/null/records", "/dev/null/records: cannot be opened: Not a directory"),
        ("postgresql://h:port/x", "database: not a URL (expected postgresql://USER@HOST/NAME)"),
    ],
)
def test_a_url_that_is_refused(url: str, message: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        Records.open(url)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"text " * 1000)
    with pytest.raises(RecordsError, match=r"^database: file is not a database$"):
        Records.open(default_url(tmp_path))


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(RecordsError, match=r"^database: ") as caught:
        Records.open("postgresql://kim:secret@127.0.0.1:1/rack")
    assert "secret" not in str(caught.value)


def test_a_statement_that_is_wrong_is_a_bug(records: Records) -> None:
    with pytest.raises(exc.ProgrammingError), records.begin() as connection:
        connection.exec_driver_sql("SELECT ?", ())


def test_rows_of_a_node_go_with_it(records: Records) -> None:
    with records.begin() as connection:
        known = node(connection)
        run(connection, known.id)
        events.add(connection, known.id, "boot", "local", now=NOW)
        connection.execute(text("DELETE FROM nodes"))
        assert _counts(connection) == [0, 0, 0]


def _counts(connection: Connection) -> list[int]:
    tables = ("keys", "runs", "events")
    return [connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() for table in tables]  # noqa: S608
