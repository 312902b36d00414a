from __future__ import annotations

import dataclasses
import fcntl
import os
from pathlib import Path
from typing import TextIO

import pytest

from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.host import files, folders, locking


def test_a_second_holder_is_refused_with_the_process_that_holds_it(context: Context) -> None:
    with (
        locking.exclusive(context),
        pytest.raises(UserError, match=f"in use by process {os.getpid()}\n"),
        locking.exclusive(context),
    ):
        pytest.fail("two builds at a time")


@pytest.mark.parametrize("shared", ["work", "cache"])
def test_one_folder_in_common_is_enough_to_be_refused(context: Context, tmp_path: Path, shared: str) -> None:
    other = dataclasses.replace(
        context,
        work=context.work if shared == "work" else tmp_path / "other-work",
        cache=context.cache if shared == "cache" else tmp_path / "other-cache",
    )
    with (
        locking.exclusive(context),
        pytest.raises(UserError, match=str(getattr(context, shared))),
        locking.exclusive(other),
    ):
        pytest.fail("two builds at a time")


def test_builds_in_other_folders_go_on_side_by_side(context: Context, tmp_path: Path) -> None:
    other = dataclasses.replace(context, work=tmp_path / "other-work", cache=tmp_path / "other-cache")
    with locking.exclusive(context), locking.exclusive(other):
        assert (tmp_path / "other-work").is_dir()


def test_the_lock_is_free_again_after_a_failure(context: Context) -> None:
    with pytest.raises(RuntimeError), locking.exclusive(context):
        raise RuntimeError
    with locking.exclusive(context):
        assert context.work.is_dir()


def test_a_folder_is_removed_with_its_lock_last(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    removed = []
    remove = files.remove

    def watched(path: Path) -> None:
        assert (context.work / ".lock").exists()
        removed.append(path.name)
        remove(path)

    monkeypatch.setattr(files, "remove", watched)
    with locking.exclusive(context):
        (context.work / "chroot").mkdir()
        locking.remove(folders.WORK, context.work)
    assert removed == ["chroot"]
    assert not context.work.exists()


def test_who_waited_for_a_lock_that_was_removed_gets_the_new_one(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening the file and locking it, its last holder removes it."""
    flock = fcntl.flock
    paths = [context.cache / ".lock"]

    def late(file: TextIO, operation: int) -> None:
        for path in paths:
            path.unlink()
        paths.clear()
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with locking.exclusive(context), pytest.raises(UserError, match="in use by"), locking.exclusive(context):
        pytest.fail("two builds at a time")


def test_a_folder_that_cannot_be_made_is_the_users_error(context: Context) -> None:
    context.cache.write_text("a file", encoding="utf-8")
    with pytest.raises(UserError, match=str(context.cache)) as caught, locking.exclusive(context):
        pytest.fail("locked")
    assert "cache_dir" in str(caught.value.hint)
