"""burnin.report: the reports of a run.jsonl, made on a build host."""

from __future__ import annotations

from pathlib import Path

import pytest

from alchemy.commands import burnin
from alchemy.errors import UserError
from tests.unit.node.burnin import runs


def test_reports_are_written_and_the_page_of_text_is_returned(tmp_path: Path) -> None:
    record = tmp_path / "run.jsonl"
    runs.failed(record).close()
    folder = tmp_path / "made" / "here"
    text = burnin.report(record, folder)
    assert "replace DIMM A1, serial 00AB" in text
    assert sorted(path.name for path in folder.iterdir()) == ["junit.xml", "report.html", "report.txt"]
    assert (folder / "report.txt").read_text(encoding="utf-8") == text


def test_reports_replace_earlier_ones(tmp_path: Path) -> None:
    record = tmp_path / "run.jsonl"
    runs.begin(record).close()
    assert "RUNNING" in burnin.report(record, tmp_path)
    record.unlink()
    runs.passed(record).close()
    assert "PASS" in burnin.report(record, tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "not a file"),
        (b"", "got 0 other lines"),
        (b"#!/bin/sh\necho\n", "got 2 other lines"),
        (b'{"schemaVersion":{"major":2,"minor":0},"sequenceNumber":0,"timestamp":"2026-11-28T03:30:00Z"}\n', "got 0 "),
    ],
)
def test_a_file_that_is_not_a_record_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    record = tmp_path / "run.jsonl"
    if content is not None:
        record.write_bytes(content)
    with pytest.raises(UserError, match=message):
        burnin.report(record, tmp_path / "made")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "own.toml: no such file"),
        (b"time = ", "profile own.toml: not TOML"),
        (b'time = "soon"\n', "profile own.toml: time: 'soon': not a duration"),
        (b"#" * 65537, "profile own.toml: too large"),
    ],
)
def test_a_profile_that_a_node_would_refuse_is_not_signed(tmp_path: Path, content: bytes | None, message: str) -> None:
    own = tmp_path / "own.toml"
    if content is not None:
        own.write_bytes(content)
    with pytest.raises(UserError, match=message):
        burnin.check_profile(own)


def test_a_profile_that_is_right_may_be_signed(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_bytes(b'time = "6h"\n[[phases]]\nshare = 1\nsteps = ["cpu"]\n')
    burnin.check_profile(own)
