from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.portage import repositories
from alchemy.stage import Stage
from tests.unit.fakes import fake_stage


@pytest.fixture
def gentoo(context: Context) -> Context:
    """The context of a build on a stage3 that is fetched."""
    return dataclasses.replace(context, config=Config(stage3_url="https://example.org/stage3.tar.xz"))


def make(folder: Path, name: str, masters: str | None = "") -> Path:
    (folder / "profiles").mkdir(parents=True)
    (folder / "profiles/repo_name").write_text(f"{name}\n", encoding="utf-8")
    if masters is not None:
        (folder / "metadata").mkdir()
        (folder / "metadata/layout.conf").write_text(
            f"# a comment\nthin-manifests = true\nmasters = {masters}\n", encoding="utf-8"
        )
    return folder


def yielding(context: Context, stage: str, *names: str, masters: str = "gentoo") -> Stage:
    """A stage that has yielded repositories of these names."""

    def build(folder: Path) -> None:
        for number, name in enumerate(names):
            make(folder / str(number), name, masters)

    made = fake_stage(context.cache, stage, build=build, external=True)
    made.make()
    return made


def test_the_overlays_go_by_the_names_they_give_themselves(context: Context) -> None:
    (context.root / "overlays/alchemy/profiles/repo_name").write_text("gold\n", encoding="utf-8")
    assert repositories.local(context) == {
        "gold": context.root / "overlays/alchemy",
        "embedded": context.root / "overlays/embedded",
    }


def test_the_embedded_tree_is_for_its_own_stage3_only(gentoo: Context) -> None:
    assert repositories.local(gentoo).keys() == {"alchemy"}


def test_without_a_synced_tree_the_stage3s_own_is_the_main_one(context: Context) -> None:
    found = repositories.collect(context, {})
    assert (found.main, found.overlays) == (None, ["alchemy"])
    assert found.binds == {
        "/var/db/repos/alchemy": context.root / "overlays/alchemy",
        "/var/db/repos/embedded": context.root / "overlays/embedded",
    }


def test_the_synced_tree_goes_by_the_name_it_gives_itself(gentoo: Context) -> None:
    tree = yielding(gentoo, "tree", "core-kit", masters="")
    found = repositories.collect(gentoo, {"tree": tree.output})
    assert (found.main, found.overlays) == ("core-kit", ["alchemy"])
    assert found.paths["core-kit"] == tree.output / "0"


def test_the_repositories_of_overlays_win_over_what_is_fetched(gentoo: Context) -> None:
    stages = [yielding(gentoo, "tree", "gentoo", masters=""), yielding(gentoo, "overlays", "guru", "alchemy")]
    found = repositories.collect(gentoo, {stage.name: stage.output for stage in stages})
    assert found.overlays == ["guru", "alchemy"]
    assert found.paths["alchemy"] == gentoo.root / "overlays/alchemy"


@pytest.mark.parametrize(("ours", "fetched"), [("gentoo", []), ("other", ["gentoo"]), ("other", ["guru", "guru"])])
def test_two_of_a_name_are_refused(gentoo: Context, ours: str, fetched: list[str]) -> None:
    (gentoo.root / "overlays/alchemy/profiles/repo_name").write_text(f"{ours}\n", encoding="utf-8")
    stages = [yielding(gentoo, "tree", "gentoo", masters=""), yielding(gentoo, "overlays", *fetched)]
    with pytest.raises(UserError, match=r"is named (gentoo|guru), as "):
        repositories.collect(gentoo, {stage.name: stage.output for stage in stages})


def test_a_master_that_is_nowhere_is_named_with_its_overlay(gentoo: Context) -> None:
    stages = [yielding(gentoo, "tree", "gentoo", masters=""), yielding(gentoo, "overlays", "kde", masters="gentoo qt")]
    with pytest.raises(UserError, match="\n  kde: qt") as caught:
        repositories.collect(gentoo, {stage.name: stage.output for stage in stages})
    assert "overlays" in str(caught.value.hint)


@pytest.mark.parametrize("masters", ["gentoo", "core-kit", "guru core-kit", "alchemy"])
def test_a_master_may_be_any_repository_and_gentoo_is_the_main_one(gentoo: Context, masters: str) -> None:
    stages = [
        yielding(gentoo, "tree", "core-kit", masters=""),
        yielding(gentoo, "overlays", "guru", "kde", masters=masters),
    ]
    assert repositories.collect(gentoo, {stage.name: stage.output for stage in stages}).overlays == [
        "guru",
        "kde",
        "alchemy",
    ]


def test_a_repository_without_a_layout_has_no_masters(tmp_path: Path) -> None:
    assert repositories.masters(make(tmp_path / "x", "x", masters=None)) == []


@pytest.mark.parametrize("name", ["", "two words", "../x", "-x"])
def test_a_folder_without_a_name_is_no_repository(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="not an ebuild repository"):
        repositories.name_of(make(tmp_path / "x", name))
    with pytest.raises(UserError, match="not an ebuild repository"):
        repositories.name_of(tmp_path)
