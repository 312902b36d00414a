from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.portage import preflight
from alchemy.stage import Stage
from alchemy.stages import outputs, toolbox, tools
from tests.unit.fakes import FakeRunner, fake_stage


@pytest.fixture
def base(context: Context, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage3 that is there, and Portage in it."""
    monkeypatch.setattr("shutil.which", lambda name: None)
    runner.answers["bwrap"] = json.dumps({"said": "", "refusal": "", "demands": []})

    def unpack(argv: list[str]) -> None:
        if "--extract" in argv:
            profile = Path(argv[argv.index("--directory") + 1]) / "etc/portage/make.profile"
            profile.parent.mkdir(parents=True)
            profile.symlink_to("../../var/db/repos/gentoo/profiles/default")

    runner.on_run = unpack
    stage = fake_stage(context.cache, "stage3", build=lambda folder: (folder / "stage3.tar.zst").touch(), external=True)
    stage.make()
    (context.root / "packages/packages.build").write_text("app-arch/cpio\nsys-devel/bc\n", encoding="utf-8")
    return stage


@pytest.fixture
def gentoo(context: Context) -> Context:
    return dataclasses.replace(context, config=Config(stage3_url="https://example.org/stage3.tar.xz", jobs=2))


def completed(context: Context, base: Stage) -> Stage:
    """The tools of a stage3 that is fetched."""
    assert tools.stage(context, {}, {"stage3": base}) is None
    stage = toolbox.stage(context, {}, {"stage3": base})
    assert stage is not None
    return stage


def emerges(runner: FakeRunner) -> list[list[str]]:
    return [call.argv for call in runner.calls if "emerge" in call.argv]


def test_the_stage3_is_unpacked_once_for_the_programs_that_build(context: Context, base: Stage) -> None:
    one, other = (tools.stage(context, {}, {"stage3": dataclasses.replace(base, inputs={"x": x})}) for x in ("1", "2"))
    assert one is not None
    assert other is not None
    for stage in (one, other):
        stage.needs["stage3"].make()
    one.make()
    assert other.fresh
    assert outputs.tools(other.output).root == one.output / "root"


def test_a_stage3_that_is_made_here_has_the_tools(context: Context, base: Stage, runner: FakeRunner) -> None:
    made = {"stage3": base, "tree": fake_stage(context.cache, "tree", external=True)}
    stage = tools.stage(context, {}, made)
    assert stage is not None
    assert toolbox.stage(context, {}, made) is None
    assert (stage.needs, stage.inputs) == ({"stage3": base}, {})
    stage.make()
    assert emerges(runner) == []


def test_a_stage3_that_is_fetched_gets_them_from_the_tree(gentoo: Context, base: Stage, runner: FakeRunner) -> None:
    stage = completed(gentoo, base)
    stage.make()
    (building,) = emerges(runner)
    assert "--unshare-net" in building
    assert building[-1] == "@alchemy"
    written = stage.output / "root/etc/portage/sets/alchemy"
    assert written.read_text(encoding="utf-8").split() == ["app-arch/cpio", "sys-devel/bc"]


def test_its_binary_packages_are_none_of_the_system_that_is_built_beside_it(
    gentoo: Context, base: Stage, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack = runner.on_run

    def build(argv: list[str]) -> None:
        unpack(argv)
        if "emerge" in argv:
            path = Path(argv[argv.index("/var/cache/binpkgs") - 1]) / "app-arch/cpio/cpio-2-1.gpkg.tar"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    runner.on_run = build
    monkeypatch.setattr("alchemy.portage.preflight.check", lambda *_, **__: preflight.Needs())
    runner.answers["bwrap"] = json.dumps({"app-arch/cpio-2": "a" * 64})
    completed(gentoo, base).make()
    assert [path.name.rpartition("-")[2] for path in (gentoo.cache / "packages").iterdir()] == ["tools"]


def test_another_set_of_tools_is_built_anew(gentoo: Context, base: Stage) -> None:
    before = completed(gentoo, base).key
    (gentoo.root / "packages/packages.build").write_text("app-arch/cpio\n", encoding="utf-8")
    assert completed(gentoo, base).key != before
