from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from alchemy.rack.serving import logs


def test_a_large_log_is_emptied_and_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"one\n")
        logs.rotate(path, most=4)
        assert not (tmp_path / "access.log.1").exists()
        writer.write(b"two\n")
        logs.rotate(path, most=4)
        writer.write(b"three\n")
    assert path.read_bytes() == b"three\n"
    assert (tmp_path / "access.log.1").read_bytes() == b"one\ntwo\n"


def test_a_full_disk_costs_the_log_and_not_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(source: Path, target: Path) -> None:
        target.write_bytes(b"part")
        raise OSError(28, "No space left on device")

    path = tmp_path / "access.log"
    path.write_bytes(b"12345")
    monkeypatch.setattr(shutil, "copyfile", fail)
    logs.rotate(path, most=4)
    assert path.read_bytes() == b""
    assert [file.name for file in tmp_path.iterdir()] == ["access.log"]


def test_a_log_that_is_not_there_yet_is_no_error(tmp_path: Path) -> None:
    logs.rotate(tmp_path / "access.log")
