from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

import pytest

from alchemy.commands import cache
from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.host import folders, locking
from tests.unit.fakes import fake_stage, snapshot

DAY = 86400
BINPKG = "packages/0123/app-misc/gold-1/4567/gold-1-1.gpkg.tar"
FILES = {
    "ccache/own/a/b": 7,
    "distfiles/gold-1.tar.xz": 100,
    "kernel/linux-1/linux.tar.xz": 200,
    BINPKG: 300,
    "stage3/stage3-1/stage3.tar.zst": 400,
    "stages/kernel-1/bzImage": 500,
    "stages/kernel-1/release": 5,
}


@pytest.fixture
def filled(context: Context) -> Context:
    """A cache of which nothing was used for ten days."""
    folders.prepare(context)
    for name, size in FILES.items():
        path = context.cache / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
    for path in context.cache.rglob("*"):
        os.utime(path, (time.time() - 10.5 * DAY,) * 2)
    return context


def names(context: Context, gone: list[cache.Entry]) -> list[str]:
    return [str(entry.path.relative_to(context.cache)) for entry in gone]


def test_the_info_has_the_sizes_of_each_kind(filled: Context) -> None:
    described = cache.info(filled)
    assert described["bytes"] == sum(FILES.values())
    assert described["kinds"]["stages"] == {"entries": 1, "bytes": 505, "oldest_days": 10}
    assert described["kinds"]["packages"] == {"entries": 1, "bytes": 300, "oldest_days": 10}
    assert "stages         1      0.5 KB" in cache.info_text(described)


def test_cache_info_without_a_cache_is_empty_and_creates_nothing(context: Context) -> None:
    assert cache.info(context)["kinds"] == {}
    assert not context.cache.exists()


@pytest.mark.parametrize(
    ("keep_days", "gone"),
    [
        (11, []),
        (10, ["ccache/own", "distfiles/gold-1.tar.xz", "kernel/linux-1", BINPKG, "stage3/stage3-1", "stages/kernel-1"]),
    ],
)
def test_prune_removes_entries_unused_for_longer_than_keep_days(
    filled: Context, keep_days: int, gone: list[str]
) -> None:
    assert names(filled, cache.prune(filled, keep_days)) == gone
    assert not [name for name in gone if (filled.cache / name).exists()]


def test_prune_keeps_entries_used_since(filled: Context) -> None:
    stage = fake_stage(filled.cache / "stages", "ramfs")
    stage.make()
    os.utime(stage.output, (0, 0))
    stage.use()
    os.utime(filled.cache / "distfiles/gold-1.tar.xz", (time.time(), 0))  # read now, and old
    os.utime(filled.cache / "ccache/own")
    cache.prune(filled, 10)
    assert stage.fresh
    assert (filled.cache / "distfiles/gold-1.tar.xz").exists()
    assert (filled.cache / "ccache/own/a/b").exists()


def test_prune_removes_the_empty_folders_of_a_binary_package(filled: Context) -> None:
    other = filled.cache / "packages/0123/app-misc/lead-1/4567/lead-1-1.gpkg.tar"
    other.parent.mkdir(parents=True)
    other.touch()
    cache.prune(filled, 10)
    assert not (filled.cache / "packages/0123/app-misc/gold-1").exists()
    assert other.exists()


def test_prune_removes_leftovers_of_a_killed_build(filled: Context) -> None:
    half = filled.cache / "stages" / ".ramfs-2.tmp"
    half.mkdir()
    cache.prune(filled, 1000)
    assert not half.exists()


def test_prune_skips_folders_of_another_cache(filled: Context, tmp_path: Path) -> None:
    (filled.cache / "seen.json").write_text("{}", encoding="utf-8")
    half = filled.cache / "stage3" / ".stage3-2.tmp"
    half.mkdir()
    borrower = dataclasses.replace(filled, cache=cache.borrow(filled, tmp_path / "cache", cache.FETCHED))
    assert {path.name for path in borrower.cache.iterdir()} == {*cache.FETCHED, "seen.json", "CACHEDIR.TAG"}
    assert (borrower.cache / "stage3/stage3-1/stage3.tar.zst").exists()
    cache.tidy(borrower)
    assert half.exists()


def test_pruning_is_refused_while_a_build_runs(filled: Context) -> None:
    with locking.exclusive(filled):
        before = snapshot(filled.cache)
        with pytest.raises(UserError, match=f"in use by process {os.getpid()}"):
            cache.prune(filled, 0)
        assert snapshot(filled.cache) == before


def test_pruning_does_not_follow_a_link_out_of_the_cache(filled: Context, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    link = filled.cache / "stages" / "link"
    link.symlink_to(outside)
    os.utime(link, (0, 0), follow_symlinks=False)
    cache.prune(filled, 10)
    assert (outside / "file").exists()
