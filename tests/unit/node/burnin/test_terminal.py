"""Terminals: what is written to them, and which are left alone."""

from __future__ import annotations

import fcntl
import os
import re
from datetime import timedelta
from pathlib import Path

import pytest

from alchemy_node.burnin import screen, terminal
from alchemy_node.burnin.terminal import Logins, Terminal
from alchemy_node.machine import Machine
from tests.unit.node.burnin import runs
from tests.unit.node.burnin.test_console import LATER, running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def test_a_frame_has_only_what_changed() -> None:
    whole = terminal.frame(["a", "b"], [])
    assert whole == "\x1b[2J\x1b[1;1Ha\x1b[K\x1b[2;1Hb\x1b[K\x1b[2;1H"
    assert terminal.frame(["a", "c"], ["a", "b"]) == "\x1b[2;1Hc\x1b[K\x1b[2;1H"
    assert terminal.frame(["a"], ["a"]) == ""


def test_what_was_on_the_terminal_scrolls_away_and_is_not_erased(path: Path, tmp_path: Path) -> None:
    device = tmp_path / "tty"
    device.touch()
    shown = Terminal(os.open(device, os.O_WRONLY), dumb=False)
    run = running(path).run
    assert shown.text(run, LATER).startswith("\r\n" * 24 + "\x1b[2J")
    assert not shown.text(run, LATER).startswith("\r\n")
    shown.forget()
    assert shown.text(run, LATER).startswith("\x1b[2J")
    shown.close()


def test_frames_make_the_screen_whatever_was_shown_before(path: Path, tmp_path: Path) -> None:
    device = tmp_path / "tty"
    device.touch()
    shown = Terminal(os.open(device, os.O_WRONLY), dumb=False)
    record = runs.begin(path)
    grid: dict[int, str] = {}
    done = 0
    for number in range(30):
        if number % 3 == 0:
            record.step_start(f"step-{number}", f"step {number}")
        shown.write(shown.text(record.run, LATER + timedelta(seconds=number)))
        text = device.read_text(encoding="ascii")
        for match in re.finditer(r"\x1b\[2J|\x1b\[(\d+);1H([ -~]*)\x1b\[K", text[done:]):
            if match[1] is None:
                grid.clear()
            else:
                grid[int(match[1])] = match[2]
        done = len(text)
        assert [grid[row] for row in range(1, 25)] == screen.lines(record.run, LATER + timedelta(seconds=number))
    shown.close()


def test_a_terminal_that_takes_nothing_does_not_hold_up_the_run(path: Path) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    shown = Terminal(write, dumb=False)
    record = running(path)
    for number in range(200):
        shown.write(shown.text(record.run, LATER + timedelta(seconds=number)))
    first = os.read(read, 65536)
    assert 0 < len(first) <= 4096
    # it is read again: what was begun is finished, and then a whole screen comes
    for number in range(4):
        shown.write(shown.text(record.run, LATER + timedelta(hours=1, seconds=number)))
        first += os.read(read, 65536)
    text = first.decode("ascii")
    assert re.fullmatch(r"(?:\r\n){24}(?:\x1b\[(?:2J|K|\d+;1H)|[ -~])*", text)
    assert text.count("\x1b[2J") >= 2
    shown.close()
    os.close(read)


def test_a_terminal_that_is_gone_is_no_trouble(path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    shown = Terminal(write, dumb=True)
    shown.write(shown.text(running(path).run, LATER))
    shown.close()
    assert Terminal.open(path.parent / "ttyS9", dumb=False) is None


def stat(pid: int, name: str, tty: int) -> str:
    return f"{pid} ({name}) S 1 {pid} {pid} {tty} {pid} 4194560 1 2 3\n"


@pytest.mark.parametrize(
    ("processes", "used"),
    [
        ({1: stat(1, "init", 0)}, False),
        ({9: stat(9, "agetty", 1088)}, False),
        ({9: stat(9, "login", 1088)}, False),
        ({9: stat(9, "bash", 1088)}, True),
        ({9: stat(9, "agetty", 1088), 12: stat(12, "sh", 1089)}, False),
        ({9: stat(9, "a) S 1 9 9 0 (sh", 1088)}, True),
        ({9: "garbled"}, False),
    ],
)
def test_a_console_with_a_login_is_left_alone(tmp_path: Path, processes: dict[int, str], used: bool) -> None:
    tty = tmp_path / "sys/class/tty/ttyS0"
    tty.mkdir(parents=True)
    (tty / "dev").write_text("4:64\n", encoding="ascii")
    for pid, text in processes.items():
        folder = tmp_path / "proc" / str(pid)
        folder.mkdir(parents=True)
        (folder / "stat").write_text(text, encoding="ascii")
    assert terminal.in_use(Machine(tmp_path), "ttyS0") is used


@pytest.mark.parametrize(
    ("active", "names"), [("tty0 ttyS0\n", ["tty0", "ttyS0"]), ("../x tty0\n", ["tty0"]), ("", [])]
)
def test_consoles_are_the_kernels(tmp_path: Path, active: str, names: list[str]) -> None:
    folder = tmp_path / "sys/class/tty/console"
    folder.mkdir(parents=True)
    (folder / "active").write_text(active, encoding="ascii")
    assert terminal.consoles(Machine(tmp_path)) == names


def test_processes_are_looked_at_when_someone_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "dev" / "ttyS0"
    device.parent.mkdir()
    device.touch()
    looks: list[str] = []
    moment = {"now": 0.0}
    logged_in = False

    def look(_: Machine, name: str) -> bool:
        looks.append(name)
        return logged_in

    monkeypatch.setattr(terminal, "in_use", look)
    logins = Logins(Machine(tmp_path), lambda: moment["now"])
    for moment["now"] in (0, 20, 40):
        assert not logins.busy("ttyS0")
    assert len(looks) == 1
    logged_in = True
    os.utime(device, (1000, 0))
    assert logins.busy("ttyS0")
    assert logins.busy("ttyS0")
    assert len(looks) == 2
    # nothing is typed any more: the logout is seen all the same
    logged_in = False
    moment["now"] = 60
    assert not logins.busy("ttyS0")
    assert len(looks) == 3
