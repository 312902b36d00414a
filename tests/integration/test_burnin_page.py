"""The page of a run, looked at in a real browser."""

from __future__ import annotations

import re
import shutil
import zlib
from itertools import pairwise
from pathlib import Path

import pytest

from alchemy.run import Runner
from alchemy_node.burnin import page
from alchemy_node.burnin.ocp import Hardware
from alchemy_node.burnin.record import Record
from tests.lib import browser
from tests.unit.node.burnin import runs
from tests.unit.node.burnin.test_reports import hostile

RED, GREEN = (0xB0, 0x00, 0x20), (0x08, 0x7F, 0x3F)
WIDTH, HEIGHT = 800, 1300


def real(path: Path) -> Record:
    """A run as a machine with one bad DIMM gives it, with an hour of measurements."""
    record = Record(path, runs.Clock())
    dimms = [Hardware(f"dimm-{name}", f"DIMM {name}", name, "DIMM", "Example", "EX-32G", f"00{name}") for name in "AB"]
    record.run_start(
        version="1.2", command_line="alchemy-burnin", parameters={}, machine="asset-1", hardware=dimms, software=[]
    )
    for step in ("cpu", "memory"):
        record.step_start(step, step)
        series = [record.series(step, "temperature", "C", dimm.id) for dimm in dimms]
        for number in range(60):
            for index, one in enumerate(series):
                one.add(40 + index * 5 + number / 4)
        if step == "memory":
            record.diagnosis(step, "dimm-ce", "FAIL", "replace DIMM A, serial 00A: 3 corrected errors", "dimm-A")
        record.diagnosis(step, "verified", "PASS", "")
        record.step_end(step, "COMPLETE")
    record.run_end("COMPLETE", "FAIL")
    return record


def browse(runner: Runner, page_file: Path, *options: str) -> str:
    """Loads a page in a browser without a sandbox, as tests may run as root; returns its standard output."""
    profile = page_file.parent / "profile"
    argv = [
        "timeout", "120", browser.program(), "--headless",
        "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        f"--user-data-dir={profile}", f"--window-size={WIDTH},{HEIGHT}", *options, page_file.as_uri(),
    ]  # fmt: skip
    return runner.capture(argv)


def pixels(png: bytes) -> list[bytes]:
    """Returns the rows of a PNG of 8 bits a channel, three or four channels, not interlaced (RFC 2083)."""
    width, channels = int.from_bytes(png[16:20], "big"), {2: 3, 6: 4}[png[25]]
    assert (png[24], png[28]) == (8, 0)
    data, place = b"", 8
    while place < len(png):
        length, kind = int.from_bytes(png[place : place + 4], "big"), png[place + 4 : place + 8]
        data += png[place + 8 : place + 8 + length] if kind == b"IDAT" else b""
        place += length + 12
    raw, size = zlib.decompress(data), width * channels
    rows = [bytes(size)]
    for start in range(0, len(raw), size + 1):
        rows.append(unfilter(raw[start], bytearray(raw[start + 1 : start + 1 + size]), rows[-1], channels))
    return [b"".join(row[at : at + 3] for at in range(0, size, channels)) for row in rows[1:]]


def unfilter(kind: int, row: bytearray, above: bytes, channels: int) -> bytes:
    if kind == 0:
        return bytes(row)
    for at in range(len(row)):
        left = row[at - channels] if at >= channels else 0
        corner = above[at - channels] if at >= channels else 0
        up = above[at]
        guess = left + up - corner
        paeth = min((left, up, corner), key=lambda value: abs(guess - value))
        row[at] = row[at] + (0, left, up, (left + up) // 2, paeth)[kind] & 0xFF
    return bytes(row)


def count(rows: list[bytes], colour: tuple[int, int, int]) -> int:
    wanted = bytes(colour)
    return sum(row[at : at + 3] == wanted for row in rows for at in range(0, len(row), 3))


def test_a_browser_shows_verdict_and_charts(tmp_path: Path, runner: Runner, pytestconfig: pytest.Config) -> None:
    page_file = tmp_path / "report.html"
    page_file.write_text(page.text(real(tmp_path / "run.jsonl").run), encoding="utf-8")
    shot = tmp_path / "report.png"
    browse(runner, page_file, f"--screenshot={shot}")
    # kept for people to look at
    assert pytestconfig.cache is not None
    shutil.copy(shot, pytestconfig.cache.mkdir("screenshots") / "burnin-report.png")
    rows = pixels(shot.read_bytes())
    assert (len(rows), len(rows[0])) == (HEIGHT, 3 * WIDTH)
    # the bar beside the verdict and its letters; a line of the chart; nothing says that it passed but a step
    assert count(rows, RED) > 1000
    assert count(rows, (0x00, 0x72, 0xB2)) > 100
    assert count(rows, GREEN) < count(rows, RED) / 4
    changes = sum(before != after for before, after in pairwise(rows))
    assert changes > 300


def test_a_browser_runs_nothing_of_a_hostile_machine(tmp_path: Path, runner: Runner) -> None:
    page_file = tmp_path / "report.html"
    page_file.write_text(page.text(hostile(tmp_path / "run.jsonl").run), encoding="utf-8")
    shown = browse(runner, page_file, "--dump-dom")
    assert "<script" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown


def test_a_browser_prints_the_page(tmp_path: Path, runner: Runner) -> None:
    page_file = tmp_path / "report.html"
    page_file.write_text(page.text(real(tmp_path / "run.jsonl").run), encoding="utf-8")
    printed = tmp_path / "report.pdf"
    browse(runner, page_file, f"--print-to-pdf={printed}")
    data = printed.read_bytes()
    assert data.startswith(b"%PDF-")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", data)) <= 3
