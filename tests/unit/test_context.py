from __future__ import annotations

from pathlib import Path

import pytest

from alchemy import context as contexts
from alchemy.errors import UserError


def test_all_folders_are_in_the_repository_by_default(root: Path) -> None:
    made = contexts.create(root)
    assert (made.root, made.work, made.cache, made.bin) == (root, root / "work", root / "cache", root / "bin")
    assert made.version == "wip"


def test_a_relative_folder_is_relative_to_the_repository(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALCHEMY_CACHE_DIR", "../cache")
    assert contexts.create(root).cache == tmp_path / "cache"


def test_an_absolute_folder_is_that_folder(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALCHEMY_WORK_DIR", str(tmp_path / "w"))
    assert contexts.create(root).work == tmp_path / "w"


def test_creating_a_context_creates_no_files(root: Path) -> None:
    before = sorted(root.iterdir())
    contexts.create(root)
    assert sorted(root.iterdir()) == before


def test_a_log_is_in_the_work_directory(root: Path) -> None:
    assert contexts.create(root).logfile("kernel") == root / "work" / "log" / "kernel.log"


def test_a_bad_version_is_refused(root: Path) -> None:
    with pytest.raises(UserError, match="--version"):
        contexts.create(root, "../1")


def test_the_time_of_all_files_can_be_set(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1234567890")
    assert contexts.create(root).epoch == 1234567890


@pytest.mark.parametrize("value", ["yesterday", "1.5", "-1", "2026-01-01"])
def test_an_invalid_time_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
    with pytest.raises(UserError, match="SOURCE_DATE_EPOCH"):
        contexts.create(root)


@pytest.mark.parametrize(
    ("text", "mode", "warned"),
    [
        ("password: hunter2", 0o644, True),
        ("password: hunter2", 0o640, True),
        ("password: hunter2", 0o600, False),
        ("username: smith", 0o644, False),
    ],
)
def test_a_password_that_others_can_read_gives_a_warning(
    root: Path, capsys: pytest.CaptureFixture[str], text: str, mode: int, warned: bool
) -> None:
    file = root / "config.yml"
    file.write_text(text, encoding="ascii")
    file.chmod(mode)
    contexts.create(root)
    said = capsys.readouterr()
    assert said.out == ""
    assert (f"mode {mode:04o} lets others read the password" in said.err) is warned
    assert (f"chmod 0600 {file}" in said.err) is warned
    assert "hunter2" not in said.err
