from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from alchemy import stage3, toolbox
from alchemy.config import Config
from alchemy.context import Context
from alchemy.stage import Stage
from tests.unit.fakes import FakeRunner, fake_stage


@pytest.fixture
def base(context: Context, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage3 that is there, and Portage in it."""
    monkeypatch.setattr("shutil.which", lambda name: None)
    runner.answers["bwrap"] = json.dumps({"refusal": "", "demands": []})

    def unpack(argv: list[str]) -> None:
        if "--extract" in argv:
            profile = Path(argv[argv.index("--directory") + 1]) / "etc/portage/make.profile"
            profile.parent.mkdir(parents=True)
            profile.symlink_to("../../var/db/repos/gentoo/profiles/default")

    runner.on_run = unpack
    stage = fake_stage(context.cache, "stage3", build=lambda folder: (folder / "stage3.tar.zst").touch())
    stage.make()
    (context.root / "packages/packages.build").write_text("app-arch/cpio\nsys-devel/bc\n", encoding="utf-8")
    return stage


@pytest.fixture
def gentoo(context: Context) -> Context:
    return dataclasses.replace(context, config=Config(stage3_url="https://example.org/stage3.tar.xz", jobs=2))


def emerges(runner: FakeRunner) -> list[list[str]]:
    return [call.argv for call in runner.calls if "emerge" in call.argv]


def test_the_stage3_is_unpacked_once_for_the_programs_that_build(context: Context, base: Stage) -> None:
    old, new = (toolbox.stage(context, dataclasses.replace(base, inputs={"x": x}), ()) for x in ("1", "2"))
    for stage in (old, new):
        stage.needs[0].make()
        stage.make()
    assert not old.fresh
    assert stage3.tools(new).root == new.output / "root"


def test_a_stage3_that_is_made_here_has_the_tools(context: Context, base: Stage, runner: FakeRunner) -> None:
    tree = fake_stage(context.cache, "tree", external=True)
    stage = toolbox.stage(context, base, (tree,))
    assert (stage.needs, stage.inputs) == ((base,), {})
    stage.make()
    assert emerges(runner) == []


def test_a_stage3_that_is_fetched_gets_them_from_the_tree(gentoo: Context, base: Stage, runner: FakeRunner) -> None:
    stage = toolbox.stage(gentoo, base, ())
    stage.make()
    fetching, building = emerges(runner)
    assert ("--fetchonly" in fetching, "--unshare-net" in building) == (True, True)
    assert building[-1] == "@alchemy"
    written = stage.output / "root/etc/portage/sets/alchemy"
    assert written.read_text(encoding="utf-8").split() == ["app-arch/cpio", "sys-devel/bc"]


def test_its_binary_packages_are_none_of_the_system_that_is_built_beside_it(
    gentoo: Context, base: Stage, runner: FakeRunner
) -> None:
    toolbox.stage(gentoo, base, ()).make()
    assert [path.name.partition("-")[2] for path in (gentoo.cache / "packages").iterdir()] == ["tools"]


def test_another_set_of_tools_is_built_anew(gentoo: Context, base: Stage) -> None:
    before = toolbox.stage(gentoo, base, ()).key
    (gentoo.root / "packages/packages.build").write_text("app-arch/cpio\n", encoding="utf-8")
    assert toolbox.stage(gentoo, base, ()).key != before
