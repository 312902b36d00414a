"""Runs for the tests: a clock that ticks, parts of a machine, and records with an end of each kind."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alchemy_node.burnin.ocp import Hardware, Software, Validator
from alchemy_node.burnin.record import Record

START = datetime(2026, 11, 28, 3, 30, tzinfo=UTC)
DIMM = Hardware("dimm-a1", "DIMM A1", "A1", "DIMM", "Example", "EX-32G", "00AB")
DISK = Hardware("disk-0", "nvme0", "bay 3", "disk", "Example", "EX-NVME", "00CD")
BIOS = Software("bios", "BIOS", "2.1.5", "FIRMWARE")
# ANSI, HTML, XML's forbidden characters, a bidi override, a newline, a lone surrogate
HOSTILE = "\x1b[2J\x1b]0;x\x07<script>alert(1)</script>&amp;\"'\x00\x01\x0b\ufffe\u202e\r\n]]>\udcff\x9b31m"


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Waits until another thread has done something. Fails when it doesn't."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


class Clock:
    """A clock that goes on by a second each time it is read."""

    def __init__(self, moment: datetime = START) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        moment, self.moment = self.moment, self.moment + timedelta(seconds=1)
        return moment


def begin(path: Path, clock: Clock | None = None) -> Record:
    """Returns a record whose run has started."""
    record = Record(path, clock or Clock())
    record.run_start(
        version="1.2",
        command_line="alchemy-burnin --profile short",
        parameters={"profile": "short", "seconds": 7200, "steps": ["cpu", "memory"]},
        machine="asset-1",
        hardware=[DIMM, DISK],
        software=[BIOS],
    )
    return record


def passed(path: Path) -> Record:
    """Returns the record of a run that passed."""
    record = begin(path)
    record.step_start("cpu", "cpu")
    series = record.series("cpu", "temperature", "°C", validators=[Validator("LESS_THAN", 95)])
    for value in (40.0, 71.5, 70.0):
        series.add(value)
    record.measurement("cpu", "bogo-ops", 1234567, "1/s")
    record.diagnosis("cpu", "cpu-verified", "PASS", "every stressor verified its results")
    record.step_end("cpu", "COMPLETE")
    record.run_end("COMPLETE", "PASS")
    return record


def failed(path: Path, text: str = "replace DIMM A1, serial 00AB: 3 corrected errors") -> Record:
    """Returns the record of a run in which a DIMM failed and a step was skipped."""
    record = begin(path)
    record.step_start("memory", "memory")
    limit = Validator("EQUAL", 0, "no-new-errors")
    record.measurement("memory", "edac-ce-delta", 3, "errors", DIMM.id, [limit])
    record.diagnosis("memory", "dimm-ce", "FAIL", text, DIMM.id)
    record.step_end("memory", "COMPLETE")
    record.step_start("network", "network")
    record.log("INFO", "skipped: no partner was found", "network")
    record.step_end("network", "SKIP")
    record.run_end("COMPLETE", "FAIL")
    return record
