"""What a technician sees: the screen, plain lines, status, Breakin's file, the light, the watchdog."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import struct
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from alchemy_node.burnin import breakin, claim, identify, letters, plain, reader, screen, status, watchdog
from alchemy_node.burnin.record import Record
from alchemy_node.burnin.watchdog import Watchdog
from alchemy_node.machine import Machine
from alchemy_node.processes import Output
from tests.unit.node.burnin import runs
from tests.unit.node.burnin.test_reports import RECORDS, empty, erroneous, hostile, unfinished

LATER = runs.START + timedelta(hours=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "log" / "20261128T033000Z"
    folder.mkdir(parents=True)
    return folder / "run.jsonl"


def running(path: Path) -> Record:
    record = runs.begin(path)
    record.step_start("cpu", "cpu")
    record.diagnosis("cpu", "cpu-verified", "PASS", "")
    record.step_end("cpu", "COMPLETE")
    record.step_start("memory", "memory")
    series = record.series("memory", "temperature", "°C", "dimm-a1")
    for value in (40, 71, 65):
        series.add(value)
    record.diagnosis("memory", "dimm-ce", "FAIL", "3 corrected errors", "dimm-a1")
    return record


@pytest.mark.parametrize("make", [*RECORDS, running])
def test_a_screen_fits_every_terminal(path: Path, make: Callable[[Path], Record]) -> None:
    lines = screen.lines(make(path).run, LATER)
    assert len(lines) == 24
    assert all(len(line) < 80 and line.isascii() and line.isprintable() for line in lines)


def test_a_screen_shows_state_time_temperatures_and_failures(path: Path) -> None:
    lines = screen.lines(running(path).run, LATER)
    assert lines[2] == "FAILED SO FAR, RUNNING ON   profile short   1 of 2 steps done   now: memory"
    assert lines[3] == f"[{'#' * 15}{'.' * 17}]  50%   00:59:59 run, 01:00:01 left"
    assert any(re.fullmatch(r"FAIL     \d\d:\d\d:\d\d  memory: 3 corrected errors", line) for line in lines)
    assert "temperatures: DIMM A1 65 C (max 71)" in lines
    assert "checks failed: 1   errors of the software: 0" in lines


def test_time_stands_still_without_a_supervisor(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs.begin(path).close()
    assert status.main(["--json"], path.parent.parent, tmp_path / "lock") == 3
    document = json.loads(capsys.readouterr().out)
    assert (document["alive"], document["elapsed_seconds"]) == (False, 0)


def test_steps_that_watch_all_the_while_are_not_counted(path: Path) -> None:
    record = runs.begin(path)
    for step in ("kernel", "cpu"):
        record.step_start(step, f"{step} step")
    record.series("kernel", "temperature Core 0 sensor coretemp", "C").add(50)
    lines = screen.lines(record.run, LATER)
    assert lines[2] == "RUNNING   profile short   0 of 2 steps done   now: cpu step"
    assert "temperatures: Core 0 coretemp 50 C (max 50)" in lines


@pytest.mark.parametrize(
    ("make", "word"), [(runs.passed, "PASS"), (runs.failed, "FAIL"), (hostile, "FAIL"), (erroneous, "ERROR")]
)
def test_the_verdict_is_read_across_an_aisle(path: Path, make: Callable[[Path], Record], word: str) -> None:
    lines = screen.lines(make(path).run, LATER)
    rows = letters.big(word)
    assert [line.strip() for line in lines if "##" in line] == [row.strip() for row in rows]
    if make is runs.failed:
        assert "replace DIMM A1, serial 00AB: 3 corrected errors" in lines
        assert "  DIMM A1, serial 00AB, Example EX-32G" in lines


@pytest.mark.parametrize("word", ["PASS", "FAIL", "ERROR", "SKIP"])
def test_letters_fit_a_screen(word: str) -> None:
    rows = letters.big(word)
    assert len(rows) == letters.ROWS
    assert max(map(len, rows)) <= 70


def test_plain_lines_say_each_thing_once(path: Path) -> None:
    record = runs.begin(path)
    lines = plain.Lines()
    said = lines.update(record.run, runs.START)
    record.step_start("memory", "memory")
    said += lines.update(record.run, runs.START)
    record.diagnosis("memory", "dimm-ce", "FAIL", "3 corrected errors", "dimm-a1")
    record.error("tool", "stressapptest is missing", "memory")
    said += lines.update(record.run, runs.START)
    assert lines.update(record.run, runs.START) == []
    record.step_end("memory", "COMPLETE")
    record.run_end("COMPLETE", "FAIL")
    said += lines.update(record.run, LATER)
    assert lines.update(record.run, LATER) == []
    assert said == [
        "03:30:00 00:00:00 run, 02:00:00 left, 0 checks failed so far",
        "03:30:00 step memory: RUNNING",
        "03:30:00 step memory: FAIL",
        "03:30:00 FAIL 3 corrected errors",
        "03:30:00 error stressapptest is missing",
        "",
        *letters.big("FAIL"),
        "",
        "3 corrected errors",
    ]


def test_plain_lines_say_now_and_then_how_far_the_run_is(path: Path) -> None:
    record = runs.begin(path)
    lines = plain.Lines()
    assert len(lines.update(record.run, runs.START)) == 1
    assert lines.update(record.run, runs.START + plain.EVERY / 2) == []
    assert len(lines.update(record.run, runs.START + plain.EVERY)) == 1


@pytest.mark.parametrize("make", [hostile, unfinished])
def test_plain_lines_are_printable(path: Path, make: Callable[[Path], Record]) -> None:
    said = plain.Lines().update(make(path).run, LATER)
    assert said
    assert all(line.isascii() and (line.isprintable() or not line) for line in said)


@pytest.mark.parametrize(
    ("make", "code"), [(runs.passed, 0), (runs.failed, 1), (running, 1), (erroneous, 3), (unfinished, 3), (empty, 3)]
)
def test_status_has_the_exit_status_of_the_verdict(path: Path, make: Callable[[Path], Record], code: int) -> None:
    assert status.exit_status(make(path).run) == code
    assert status.exit_status(None) == 3


@pytest.mark.parametrize("make", [*RECORDS, running])
def test_status_is_the_same_in_another_process(path: Path, make: Callable[[Path], Record]) -> None:
    record = make(path)
    read = reader.read(path)
    assert status.text(read, LATER, alive=True) == status.text(record.run, LATER, alive=True)
    document = status.document(read, path, LATER, alive=False)
    text = json.dumps(document, allow_nan=False, ensure_ascii=False)
    assert text.isprintable()
    assert document["ended"] is (record.run.status is not None)


def test_status_names_the_part(path: Path) -> None:
    document = status.document(runs.failed(path).run, path, LATER, alive=False)
    assert document["verdict"] == "FAIL"
    assert document["findings"] == [
        {
            "advice": "replace DIMM A1, serial 00AB: 3 corrected errors",
            "part": "DIMM A1",
            "location": "A1",
            "serial": "00AB",
            "reasons": ["replace DIMM A1, serial 00AB: 3 corrected errors"],
        }
    ]


def test_an_open_run_without_a_supervisor_is_told_with_the_way_on(path: Path) -> None:
    run = unfinished(path).run
    assert "alchemy-burnin --resume" in status.text(run, LATER, alive=False)
    assert "alchemy-burnin --resume" not in status.text(run, LATER, alive=True)


def test_the_newest_run_is_found(path: Path) -> None:
    folder = path.parent.parent
    assert status.newest(folder / "absent") is None
    runs.passed(path).close()
    other = folder / "20261127T000000Z" / "run.jsonl"
    other.parent.mkdir()
    runs.passed(other).close()
    os.utime(other, (0, 0))
    assert status.newest(folder) == path


@pytest.mark.parametrize(
    ("make", "word"),
    [(runs.passed, "PASS"), (runs.failed, "FAIL"), (erroneous, "ERROR"), (unfinished, "RUNNING"), (running, "RUNNING")],
)
def test_the_verdict_is_a_word_for_scripts(path: Path, make: Callable[[Path], Record], word: str) -> None:
    assert status.verdict_line(make(path).run) == f"{word}\n"


def state(text: str) -> dict[str, str]:
    """Reads a state file as what reads Breakin's does."""
    assert re.fullmatch(r'(?:[A-Z0-9_]+="[^"$`\\\n]*"\n)+', text)
    return dict(re.findall(r'(.+?)="(.*)"\n', text))


@pytest.mark.parametrize("make", [*RECORDS, running])
def test_the_state_file_is_as_breakin_writes_it(path: Path, make: Callable[[Path], Record]) -> None:
    record = make(path)
    values = state(breakin.text(record.run))
    assert int(values["BURNIN_QTY"]) == len(record.run.steps)
    assert values["BURNIN_TOTAL_FAIL_QTY"] == str(record.run.failures or int(make is erroneous))


def test_the_state_file_counts_by_step(path: Path) -> None:
    values = state(breakin.text(running(path).run))
    assert values["BURNIN_0_NAME"] == "cpu"
    assert [values[f"BURNIN_0_{key}"] for key in ("RUNNING", "PASS_QTY", "FAIL_QTY")] == ["0", "1", "0"]
    assert [values[f"BURNIN_1_{key}"] for key in ("RUNNING", "PASS_QTY", "FAIL_QTY")] == ["1", "0", "1"]


@pytest.mark.parametrize(
    ("word", "last"),
    [("RUNNING", "255"), ("PASS", "0"), ("SKIP", "0"), ("FAIL", "force"), ("ERROR", "force")],
)
def test_the_light_shows_the_verdict(word: str, last: str) -> None:
    asked: list[Sequence[str]] = []

    def programs(argv: Sequence[str], seconds: float, limit: int) -> Output:
        asked.append(argv)
        return Output(0)

    assert identify.show(Machine(programs=programs), word) is None
    assert asked == [("ipmitool", "chassis", "identify", last)]


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        (Output(problem="not installed"), "not installed"),
        (Output(problem="timed out after 20 s"), "timed out after 20 s"),
        (
            Output(1, stderr="Could not open device at /dev/ipmi0\n", problem="exit status 1"),
            "Could not open device at /dev/ipmi0",
        ),
        (Output(1, stderr="\n", problem="exit status 1"), "exit status 1"),
        (Output(1, stderr="Set \x1b[2J failed\n", problem="exit status 1"), "Set ?[2J failed"),
    ],
)
def test_a_light_that_cannot_be_switched_is_told_in_one_line(output: Output, problem: str) -> None:
    assert identify.show(Machine(programs=lambda argv, seconds, limit: output), "PASS") == problem


def test_a_watchdog_is_armed_petted_and_disarmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "watchdog"
    device.touch()
    monkeypatch.setattr(fcntl, "ioctl", lambda file, request, packed: struct.pack("i", 240))
    dog = Watchdog.arm(device, 300)
    assert dog is not None
    assert dog.seconds == 240
    dog.pet()
    runs.wait_for(lambda: device.read_bytes() == b"\0")
    # the device is written once in ten seconds
    dog.pet()
    dog.disarm()
    assert device.read_bytes() == b"\0V"


def test_a_watchdog_whose_device_hangs_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fifo = tmp_path / "watchdog"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    file = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(file, bytes(65536))
    os.set_blocking(file, True)
    monkeypatch.setattr(watchdog, "_PATIENCE", 0.05)
    dog = Watchdog(file, 300)
    dog.pet()
    dog.disarm()
    assert "watchdog" in {thread.name for thread in threading.enumerate()}
    os.close(reader)
    runs.wait_for(lambda: "watchdog" not in {thread.name for thread in threading.enumerate()})


def test_a_watchdog_without_a_timeout_of_ours_is_let_go(tmp_path: Path) -> None:
    device = tmp_path / "watchdog"
    device.touch()
    assert Watchdog.arm(device) is None
    assert device.read_bytes() == b"V"
    assert Watchdog.arm(tmp_path / "absent") is None


def test_status_as_a_command(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, lock = path.parent.parent, tmp_path / "run" / "lock"
    assert status.main([], tmp_path / "absent", lock) == 3
    assert capsys.readouterr().out == "No burn-in was started since this machine booted.\n"
    assert status.main(["--json"], tmp_path / "absent", lock) == 3
    assert json.loads(capsys.readouterr().out) == {}
    runs.failed(path).close()
    assert status.main([], folder, lock) == 1
    assert "replace DIMM A1, serial 00AB" in capsys.readouterr().out
    assert status.main(["--json"], folder, lock) == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "FAIL"
    with pytest.raises(SystemExit) as ended:
        status.main(["--jsn"], folder, lock)
    assert ended.value.code == 2


def test_one_supervisor_has_the_lock_and_status_sees_it(tmp_path: Path) -> None:
    lock = tmp_path / "run" / "lock"
    assert not claim.held(lock)
    file = claim.claim(lock)
    assert file is not None
    assert claim.held(lock)
    assert claim.claim(lock) is None
    os.close(file)
    assert not claim.held(lock)
    again = claim.claim(lock)
    assert again is not None
    os.close(again)
