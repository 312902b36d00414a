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


def test_creating_a_context_makes_nothing(root: Path) -> None:
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
def test_a_time_that_is_no_number_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
    with pytest.raises(UserError, match="SOURCE_DATE_EPOCH"):
        contexts.create(root)
