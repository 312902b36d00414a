from __future__ import annotations

import io
import json
import re
import sys
from datetime import datetime

import pexpect
import pytest
from rich.console import Console

from alchemy.ui.events import Event, Log, View
from alchemy.ui.views import Events, Lines, Screen, choose
from tests import repository


def build(view: View) -> None:
    """A small build, as any view may be shown it."""
    log = Log(view)
    stages = log.build({"stage3": "fresh", "kernel": "waiting", "tools": "waiting"})
    with stages, log.stage("kernel"), log.step("kernel: compiling"):
        log.warn("low on space")
    log.info("[bold]bye[/bold]")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("term", "no_color", "terminal", "view"),
    [
        ("xterm-256color", None, True, Screen),
        ("linux", None, True, Screen),
        ("xterm-256color", None, False, Lines),
        ("xterm-256color", "1", True, Lines),
        ("dumb", None, True, Lines),
        ("vt220", None, True, Lines),  # a serial console
        (None, None, True, Lines),
    ],
)
def test_the_view_depends_on_the_terminal(
    monkeypatch: pytest.MonkeyPatch, term: str | None, no_color: str | None, terminal: bool, view: type
) -> None:
    for name, value in (("TERM", term), ("NO_COLOR", no_color)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    assert type(choose(events=False)) is view
    assert type(choose(events=True)) is Events


def test_a_line_has_the_time_and_no_colour(messages: io.StringIO) -> None:
    build(Lines(messages))
    lines = messages.getvalue().splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in lines)
    assert [re.sub(r"[\d.]+ s$", "0 s", line[9:]) for line in lines] == [
        "kernel: compiling …",
        "warning: low on space",
        "kernel: compiling: done in 0 s",
        "kernel: complete after 0 s",
        "[bold]bye[/bold]",
    ]


def test_events_are_json_with_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    build(Events())
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(datetime.fromisoformat(event.pop("time")).tzinfo for event in told)
    assert all(event.pop("seconds") >= 0 for event in told if event.get("state") == "done")
    assert told == [
        {"event": "stage", "stage": "stage3", "state": "fresh"},
        {"event": "stage", "stage": "kernel", "state": "waiting"},
        {"event": "stage", "stage": "tools", "state": "waiting"},
        {"event": "stage", "stage": "kernel", "state": "running"},
        {"event": "step", "stage": "kernel", "state": "running", "message": "kernel: compiling"},
        {"event": "warning", "stage": "kernel", "message": "low on space"},
        {"event": "step", "stage": "kernel", "state": "done", "message": "kernel: compiling"},
        {"event": "stage", "stage": "kernel", "state": "done"},
        {"event": "info", "message": "[bold]bye[/bold]"},
    ]


def on_screen(width: int = 60) -> tuple[Screen, Console]:
    console = Console(file=io.StringIO(), force_terminal=True, highlight=False, width=width)
    return Screen(console), console


def printed(screen: Screen, width: int) -> list[str]:
    """The table as it is on the terminal, without colours."""
    plain = Console(file=io.StringIO(), width=width)
    plain.print(screen.table())
    assert isinstance(plain.file, io.StringIO)
    return [line.rstrip() for line in plain.file.getvalue().splitlines()]


def test_the_screen_has_a_line_a_stage_and_the_end_of_its_log() -> None:
    screen, _ = on_screen()
    log = Log(screen)
    stages = log.build({"stage3": "fresh", "system": "waiting", "image": "waiting"})
    with stages, log.stage("system"), log.step("system: building"):
        log.tell(Event("package", "app-misc/gold-1", "system", number=3, total=7))
        log.tell(Event("output", "one\n" + "x" * 100, "system"))
        lines = printed(screen, 60)
    assert lines[0].split() == ["stage3", "fresh"]
    assert re.fullmatch(r"system +running +\d\.\d s +3 of 7: app-misc/gold-1 · .*", lines[1])
    assert lines[2:] == ["  one", f"  {'x' * 57}…", "image     waiting"]


def test_stages_that_did_not_run_are_not_on_the_final_screen() -> None:
    screen, console = on_screen()
    build(screen)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    last = text[text.rindex("stage3") :]
    assert "kernel" in last
    assert "tools" not in last
    assert "[bold]bye[/bold]" in last
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is shown again"


def test_nothing_is_shown_when_everything_is_fresh() -> None:
    screen, console = on_screen()
    with Log(screen).build({"kernel": "fresh"}):
        pass
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == ""


BUILD = """\
import time
from alchemy.ui.events import Log
from alchemy.ui.views import choose

log = Log(choose(events=False))
with log.build({"kernel": "waiting"}), log.stage("kernel"):
    time.sleep(30)
"""


def test_ctrl_c_leaves_a_sane_terminal(real_processes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    child = pexpect.spawn(sys.executable, ["-c", BUILD], cwd=str(repository.ROOT), encoding="utf-8", timeout=30)
    shown = io.StringIO()
    child.logfile_read = shown
    child.expect("running")
    child.sendintr()
    child.expect("stopped")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus != 0
    text = shown.getvalue()
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is shown again"
