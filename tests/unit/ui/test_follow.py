from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from alchemy.portage import settings
from alchemy.ui.events import Event, Log
from alchemy.ui.follow import following
from tests.unit.fakes import Told

EMERGED = """\
>>> Verifying ebuild manifests
>>> Emerging (1 of 2) app-misc/gold-1.2::alchemy
>>> Jobs: 0 of 2 complete, 1 running                Load avg: 0.1, 0.1, 0.1
>>> Emerging binary (2 of 2) app-misc/lead-1-r1::alchemy for /image/
"""


def follow(path: Path, write: Callable[[], object]) -> list[Event]:
    told = Told()
    with following(Log(told), "system", path, settings.PROGRESS):
        write()
    return told.events


def test_packages_are_reported(tmp_path: Path) -> None:
    log = tmp_path / "log"
    events = follow(log, lambda: log.write_text(EMERGED, encoding="utf-8"))
    assert [event for event in events if event.kind == "package"] == [
        Event("package", "app-misc/gold-1.2", "system", number=1, total=2),
        Event("package", "app-misc/lead-1-r1", "system", number=2, total=2),
    ]


def test_the_last_lines_are_reported_without_cursor_movement(tmp_path: Path) -> None:
    log = tmp_path / "log"
    events = follow(log, lambda: log.write_bytes(b"a\nb\n\n\x1b[32mgr\xc3\xbcn\x1b[0m\t50%\r51%\nlast\nunfinished"))
    assert [event.message for event in events] == ["b\ngrün50%51%\nlast"]


def test_later_lines_are_reported_later(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def write() -> None:
        log.write_text("first\nha", encoding="utf-8")
        time.sleep(0.6)
        with log.open("a", encoding="utf-8") as file:
            file.write("lf\n")

    assert [event.message for event in follow(log, write)] == ["first", "first\nhalf"]


def test_a_stage_without_a_log_reports_nothing(tmp_path: Path) -> None:
    assert follow(tmp_path / "log", lambda: None) == []
