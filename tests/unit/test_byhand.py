from __future__ import annotations

import dataclasses
import json

import pytest

from alchemy import buildroot, byhand, repositories
from alchemy.config import Config
from alchemy.context import Context
from alchemy.errors import UserError
from tests.unit.fakes import FakeRunner


def demand(**values: object) -> dict[str, object]:
    return {"package": "sys-block/tool-1", "page": "https://example.org", "files": [], "unknown": [], "absent": [],
            "licences": [],
            **values}  # fmt: skip


@pytest.fixture(autouse=True)
def script(context: Context) -> None:
    (context.root / "chroot").mkdir(exist_ok=True)
    (context.root / "chroot/by-hand.py").write_text("print()", encoding="utf-8")


SETS = {"packages/packages.core": ["sys-apps/gold", "sys-apps/lead[static]"], "packages/packages.util": ["a/b"]}


def check(context: Context, runner: FakeRunner, *demands: dict[str, object], refusal: str = "") -> None:
    runner.answers["bwrap"] = json.dumps({"refusal": refusal, "demands": demands})
    inside = buildroot.chroot(context, context.work / "chroot", repositories.NONE)
    byhand.check(context, inside, ["@alchemy"], context.logfile("system"), sets=SETS)


@pytest.mark.parametrize(
    ("asked", "said", "hint"),
    [
        (
            {"files": ["tool.zip"]},
            "sys-block/tool-1: tool.zip has to be fetched by hand from https://example.org",
            "distfiles",
        ),
        ({"unknown": ["tool.zip"]}, "sys-block/tool-1: its Manifest has no digest of tool.zip", "manifest"),
        ({"licences": ["LSI", "areca"]}, "sys-block/tool-1: not accepted: LSI, areca", "accept_licenses: [LSI, areca]"),
    ],
)
def test_what_is_asked_for_is_said_with_what_to_do(
    context: Context, runner: FakeRunner, asked: dict[str, object], said: str, hint: str
) -> None:
    with pytest.raises(UserError) as caught:
        check(context, runner, demand(**asked))
    assert caught.value.message.splitlines()[1:] == [f"  {said}"]
    assert caught.value.hint is not None
    assert hint in caught.value.hint
    assert ";" not in caught.value.hint


def test_all_packages_are_listed_at_once_and_each_licence_is_hinted_at_once(
    context: Context, runner: FakeRunner
) -> None:
    with pytest.raises(UserError) as caught:
        check(
            context,
            runner,
            demand(files=["a.zip", "b.zip"], licences=["LSI"]),
            demand(package="sys-block/other-2"),
            demand(package="sys-block/third-3", licences=["LSI"]),
        )
    assert [line.split(":")[0].strip() for line in caught.value.message.splitlines()[1:]] == [
        "sys-block/tool-1", "sys-block/tool-1", "sys-block/tool-1", "sys-block/third-3"
    ]  # fmt: skip
    assert str(caught.value.hint).count("LSI") == 1


def test_nothing_asked_for_is_no_error(context: Context, runner: FakeRunner) -> None:
    check(context, runner, demand())
    check(context, runner)


def test_offline_each_source_that_is_missing_is_named(context: Context, runner: FakeRunner) -> None:
    wanted = demand(absent=["tool-1.tar.xz", "tool-1.patch"])
    check(context, runner, wanted)
    offline = dataclasses.replace(context, config=Config(offline=True))
    with pytest.raises(UserError) as caught:
        check(offline, runner, wanted)
    assert caught.value.message.splitlines()[1:] == [
        f"  sys-block/tool-1: {file} is not in the cache, and this build is offline"
        for file in ("tool-1.tar.xz", "tool-1.patch")
    ]
    assert "--offline" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("said", "named", "hint"),
    [
        ('emerge: there are no ebuilds to satisfy "sys-apps/gold".', ["core: sys-apps/gold"], "packages/packages.core"),
        (
            'no ebuilds built with USE flags to satisfy "sys-apps/lead[static]".\n- lead-1 (Change USE: +static)',
            ["core: sys-apps/lead[static]"],
            "etc/portage/package.use",
        ),
        (
            "All ebuilds that could satisfy 'a/b' have been masked.\n- a/b-1 (masked by: ~amd64 keyword)",
            ["util: a/b"],
            "etc/portage/package.accept_keywords",
        ),
        ("- a/b-1::gentoo (masked by: package.mask)", [], "etc/portage/package.unmask"),
        ('no ebuilds to satisfy "x/y".\n(dependency required by "sys-apps/gold-1")', [], "packages/packages.core or "),
    ],
)
def test_sets_that_portage_cannot_build_are_explained_by_itself_with_the_file_to_edit(
    context: Context, runner: FakeRunner, said: str, named: list[str], hint: str
) -> None:
    noise = "\n!!! CONFIG_PROTECT is empty\n\x1b[31m[ebuild  N    ] sys-apps/other-1 \n"
    with pytest.raises(UserError) as caught:
        check(context, runner, refusal=noise + said + "\n\n")
    lines = [line.strip() for line in caught.value.message.splitlines()[1:]]
    assert lines == [*(f"packages/packages.{line}" for line in named), *said.splitlines()]
    assert str(caught.value.hint).startswith(f"edit {hint}")


def test_the_script_runs_in_the_chroot_without_the_network(context: Context, runner: FakeRunner) -> None:
    check(context, runner)
    call = runner.calls[-1]
    assert call.stdin == b"print()"
    assert call.argv[-3:] == ["python3", "-", "@alchemy"]
    assert "--unshare-net" in call.argv
