from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from pydantic import SecretStr

from alchemy import build, depends, image, lock, mounts, plan
from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.stage import Stage
from tests.unit.fakes import snapshot


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that can build."""
    monkeypatch.setattr(build, "require_host", lambda context: None)


def fill(folder: Path) -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "file").touch()
    return folder


@pytest.mark.parametrize(("everything", "gone"), [(False, ["work"]), (True, ["work", "cache"])])
def test_cleaning_removes_the_work_directory_and_the_cache_if_told(
    context: Context, everything: bool, gone: list[str]
) -> None:
    kept = {path.name for path in context.root.iterdir()} | {"cache"}
    fill(context.work)
    fill(context.cache)
    assert build.clean(context, everything=everything) == [str(context.root / name) for name in gone]
    assert {path.name for path in context.root.iterdir()} == kept - set(gone)


@pytest.mark.parametrize("everything", [False, True])
def test_cleaning_what_is_clean_makes_nothing(context: Context, everything: bool) -> None:
    before = snapshot(context.root)
    assert build.clean(context, everything=everything) == []
    assert snapshot(context.root) == before


def test_cleaning_is_refused_while_a_build_runs(context: Context) -> None:
    fill(context.work)
    with lock.exclusive(context), pytest.raises(UserError, match=f"in use by process {os.getpid()}"):
        build.clean(context, everything=True)
    assert (context.work / "sub" / "file").exists()


def test_cleaning_is_refused_when_something_is_mounted_there(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted = fill(context.work) / "sub"
    monkeypatch.setattr(mounts, "below", lambda folder: [mounted])
    with pytest.raises(UserError, match=f"{mounted}: something is mounted there") as caught:
        build.clean(context, everything=False)
    assert caught.value.hint == f"umount {mounted}"
    assert (mounted / "file").exists()


@pytest.mark.parametrize("place", [".", ".."])
def test_cleaning_does_not_remove_the_repository(context: Context, place: str) -> None:
    around = dataclasses.replace(context, work=(context.root / place).resolve())
    before = snapshot(context.root)
    with pytest.raises(UserError, match="holds the repository"):
        build.clean(around, everything=False)
    assert snapshot(context.root) == before


def test_cleaning_does_not_follow_a_link_out_of_the_work_directory(context: Context, tmp_path: Path) -> None:
    outside = fill(tmp_path / "outside")
    (fill(context.work) / "link").symlink_to(outside)
    build.clean(context, everything=False)
    assert (outside / "sub" / "file").exists()


def test_a_build_realizes_what_is_named_and_fills_bin_only_for_the_image(
    context: Context, able: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[object] = []
    monkeypatch.setattr(plan, "realize", lambda _, targets: done.extend(stage.name for stage in targets))
    monkeypatch.setattr(image, "publish", lambda _, stage: done.append(("publish", stage.name)))
    build.build(context, "kernel", "ramfs")
    build.build(context, "image")
    assert done == ["kernel", "ramfs", "image", ("publish", "image")]


def test_a_failed_build_gives_the_locks_back(context: Context, able: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def realize(_: Context, __: Iterable[Stage]) -> None:
        raise BuildError("it broke")

    monkeypatch.setattr(plan, "realize", realize)
    for _ in range(2):
        with pytest.raises(BuildError, match="it broke"):
            build.build(context, "image")


def test_a_build_needs_root(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    before = snapshot(context.root)
    with pytest.raises(UserError, match="needs root"):
        build.build(context, "image")
    assert snapshot(context.root) == before


def test_a_build_needs_its_programs(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(depends, "missing", lambda tools: list(tools[:2]))
    with pytest.raises(UserError, match=depends.BUILD[1].name):
        build.require_host(context)


def test_the_sizes_are_those_of_both_outputs(context: Context) -> None:
    context.bin.mkdir()
    (context.bin / "alchemy.img").write_bytes(bytes(1_500_000))
    (context.bin / "alchemy.ramfs").write_bytes(bytes(2000))
    assert build.sizes(build.outputs(context)).splitlines() == [
        f"{context.bin}/alchemy.img  1.5 MB",
        f"{context.bin}/alchemy.ramfs  2.0 KB",
    ]


def test_the_info_has_the_configuration_and_every_stage(context: Context) -> None:
    described = build.info(context)
    assert described["version"] == "1.2"
    assert described["config"]["packages"] == ["core"]
    assert described["cache_dir"] == str(context.cache)
    assert [stage["name"] for stage in described["stages"]] == list(plan.create(context).stages)
    assert {stage["fresh"] for stage in described["stages"]} == {False}
    assert [stage["why"] for stage in described["stages"] if stage["name"] == "stage3"] == ["not built yet"]


def test_the_info_as_a_text_says_why_a_stage_is_built(context: Context) -> None:
    base = plan.create(context)["stage3"]
    dataclasses.replace(base, build=lambda folder: None).make()
    lines = build.info_text(build.info(context)).splitlines()
    assert "  packages: [core]" in lines
    assert f"  stage3   {base.key}  fresh" in lines
    assert [line for line in lines if line.startswith("  system ") and line.endswith("  build: not built yet")]


def test_the_info_does_not_show_the_password(context: Context) -> None:
    secret = dataclasses.replace(context, config=context.config.model_copy(update={"password": SecretStr("hunter2")}))
    described = build.info(secret)
    assert "hunter2" not in str(described) + build.info_text(described)
    assert "password" in build.info_text(described)
