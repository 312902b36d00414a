from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from pydantic import SecretStr

from alchemy.commands import build
from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.host import depends, folders, locking, mounts
from alchemy.portage import repositories
from alchemy.stage import Stage
from alchemy.stages import bundle, plan, system
from tests.unit.fakes import FakeRunner, configure, planned, put, snapshot


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that can build."""
    monkeypatch.setattr(build, "require_host", lambda context: None)


def fill(folder: Path) -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "file").touch()
    return folder


@pytest.mark.parametrize(("everything", "gone"), [(False, ["work"]), (True, ["work", "cache"])])
def test_clean_removes_the_work_directory_and_on_request_the_cache(
    context: Context, everything: bool, gone: list[str]
) -> None:
    kept = {path.name for path in context.root.iterdir()} | {"cache"}
    folders.prepare(context)
    fill(context.work)
    fill(context.cache)
    assert build.clean(context, everything=everything) == [str(context.root / name) for name in gone]
    assert {path.name for path in context.root.iterdir()} == kept - set(gone)


@pytest.mark.parametrize("everything", [False, True])
def test_clean_creates_nothing(context: Context, everything: bool) -> None:
    before = snapshot(context.root)
    assert build.clean(context, everything=everything) == []
    assert snapshot(context.root) == before


def test_cleaning_is_refused_while_a_build_runs(context: Context) -> None:
    folders.prepare(context)
    fill(context.work)
    with locking.exclusive(context), pytest.raises(UserError, match=f"in use by process {os.getpid()}"):
        build.clean(context, everything=True)
    assert (context.work / "sub" / "file").exists()


def test_clean_refuses_a_folder_with_a_mount(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted = fill(context.work) / "sub"
    monkeypatch.setattr(mounts, "below", lambda folder: [mounted])
    with pytest.raises(UserError, match=f"{mounted}: is a mount point") as caught:
        build.clean(context, everything=False)
    assert caught.value.hint == f"umount {mounted}"
    assert (mounted / "file").exists()


@pytest.mark.parametrize("place", [".", ".."])
def test_cleaning_does_not_remove_the_repository(context: Context, place: str) -> None:
    around = dataclasses.replace(context, work=(context.root / place).resolve())
    before = snapshot(context.root)
    with pytest.raises(UserError, match="contains the repository"):
        build.clean(around, everything=False)
    assert snapshot(context.root) == before


def test_cleaning_does_not_follow_a_link_out_of_the_work_directory(context: Context, tmp_path: Path) -> None:
    outside = fill(tmp_path / "outside")
    folders.prepare(context)
    (fill(context.work) / "link").symlink_to(outside)
    build.clean(context, everything=False)
    assert (outside / "sub" / "file").exists()


def test_only_a_build_of_the_bundle_replaces_bin(context: Context, able: None, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []
    monkeypatch.setattr(plan, "realize", lambda _, targets: done.extend(stage.name for stage in targets))
    monkeypatch.setattr(bundle, "publish", lambda _, stage: done.append(("publish", stage.name)))
    build.build(context, "kernel", "ramfs")
    build.build(context, "bundle")
    assert done == ["kernel", "ramfs", "bundle", ("publish", "bundle")]


def test_a_failed_build_releases_its_locks(context: Context, able: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def realize(_: Context, __: Iterable[Stage]) -> None:
        raise BuildError("it broke")

    monkeypatch.setattr(plan, "realize", realize)
    for _ in range(2):
        with pytest.raises(BuildError, match="it broke"):
            build.build(context, "bundle")


@pytest.mark.parametrize("network", [False, True])
def test_a_shell_shares_the_network_of_the_host_only_on_request(
    context: Context, able: None, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch, network: bool
) -> None:
    context.work.mkdir(mode=0o700)
    system.folder(context).mkdir()
    monkeypatch.setattr(plan, "realize", lambda _, targets: None)
    monkeypatch.setattr(repositories, "collect", lambda *_: repositories.NONE)
    build.shell(context, network=network)
    (call,) = runner.calls
    assert call.argv[-2:] == ["bash", "--norc"]
    assert call.confined
    assert ("--unshare-net" not in call.argv) == network


def test_a_shell_with_the_network_is_refused_offline(context: Context, able: None, runner: FakeRunner) -> None:
    offline = dataclasses.replace(context, config=Config(offline=True))
    with pytest.raises(UserError, match=r"^--network: not allowed with offline: true"):
        build.shell(offline, network=True)
    assert runner.calls == []


def test_a_build_needs_root(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    before = snapshot(context.root)
    with pytest.raises(UserError, match="needs root"):
        build.build(context, "bundle")
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
    assert [stage["name"] for stage in described["stages"]] == list(planned(context).stages)
    assert {stage["fresh"] for stage in described["stages"]} == {False}
    assert [stage["why"] for stage in described["stages"] if stage["name"] == "stage3"] == ["not built yet"]


def test_the_text_of_build_info_has_the_reason_for_each_stage(context: Context) -> None:
    base = planned(context)["stage3"]
    put(base)
    lines = build.info_text(build.info(context)).splitlines()
    assert "  sync: {branch: null, commit: null, method: none, url: null, verify: true}" in lines
    assert "  packages: [core]" in lines
    assert f"  stage3            {base.key}  fresh" in lines
    assert [line for line in lines if line.startswith("  system ") and line.endswith("  build: not built yet")]


def unpacked(folder: Path) -> None:
    """Makes an output of the tools: an unpacked stage3 that names its profile as Gentoo's does."""
    (folder / "root/etc/portage").mkdir(parents=True)
    target = "../../var/db/repos/gentoo/profiles/default/linux/amd64/23.0"
    (folder / "root/etc/portage/make.profile").symlink_to(target)


@pytest.mark.parametrize(
    ("configured", "is_unpacked", "line"),
    [
        ((), True, "profile: gentoo:default/linux/amd64/23.0 (the stage3, debian:trixie)"),
        ((), False, "profile: not known before the first build (the stage3, debian:trixie)"),
        (("default/linux/x", "kit:node"), True, "profile: default/linux/x, kit:node (profile in config.yml)"),
    ],
)
def test_the_info_says_which_profile_is_used_and_where_it_comes_from(
    context: Context, configured: tuple[str, ...], is_unpacked: bool, line: str
) -> None:
    context = configure(profile=configured)(context)
    if is_unpacked:
        put(planned(context)["stage3"])
        put(planned(context)["tools"], unpacked)
    assert line in build.info_text(build.info(context)).splitlines()


def test_the_info_does_not_show_the_password(context: Context) -> None:
    secret = dataclasses.replace(context, config=context.config.model_copy(update={"password": SecretStr("hunter2")}))
    described = build.info(secret)
    assert "hunter2" not in str(described) + build.info_text(described)
    assert "password" in build.info_text(described)
