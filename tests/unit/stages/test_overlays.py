from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from alchemy.config.model import Config
from alchemy.config.remotes import Overlay
from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.fetch import pins
from alchemy.portage import repositories
from alchemy.run import Runner
from alchemy.stage import Stage
from alchemy.stages import overlays
from tests.lib import gits
from tests.lib.gits import Repository

pytestmark = pytest.mark.usefixtures("real_processes")


@pytest.fixture
def guru(tmp_path: Path) -> Repository:
    made = gits.make(tmp_path / "guru.git")
    made.commit("profiles/repo_name", "guru\n")
    return made


@pytest.fixture
def kde(tmp_path: Path) -> Repository:
    made = gits.make(tmp_path / "kde.git")
    made.commit("profiles/repo_name", "kde\n")
    made.commit("metadata/layout.conf", "masters = gentoo guru\n")
    return made


def configured(context: Context, *entries: Overlay, offline: bool = False) -> Context:
    return dataclasses.replace(context, config=Config(overlays=entries, offline=offline), runner=Runner())


def make(context: Context) -> Stage:
    before = pins.read(context.cache)
    seen = pins.look(context, filter(None, [overlays.source(context)]), before)
    pins.write(context.cache, seen)
    stage = overlays.stage(context, seen, {})
    assert stage is not None
    stage.make()
    return stage


def overlay(repository: Repository, **values: str) -> Overlay:
    return Overlay(url=repository.folder.as_uri(), **values)


def test_without_overlays_there_is_no_stage(context: Context) -> None:
    assert (overlays.source(context), overlays.stage(context, {}, {})) == (None, None)


def test_overlays_are_laid_over_each_other_as_they_are_listed(
    context: Context, guru: Repository, kde: Repository
) -> None:
    for listed in ([guru, kde], [kde, guru]):
        stage = make(configured(context, *map(overlay, listed)))
        assert repositories.collect(context, {"overlays": stage.output}).overlays == [
            *(r.folder.stem for r in listed),
            "alchemy",
        ]
        assert not list(stage.output.rglob(".git"))


def test_the_plan_is_about_the_commits(context: Context, guru: Repository, kde: Repository) -> None:
    both = configured(context, overlay(guru), overlay(kde))
    before = make(both)
    commits = {r.folder.as_uri(): r.git("rev-parse", "HEAD") for r in (guru, kde)}
    assert before.inputs == {**commits, "order": " ".join(commits)}
    assert make(both).key == before.key
    kde.commit("new", "")
    assert make(both).key != before.key


def test_an_overlay_may_be_pinned_to_a_commit(context: Context, guru: Repository) -> None:
    commit = guru.git("rev-parse", "HEAD")
    guru.commit("new", "")
    pinned = configured(context, overlay(guru, commit=commit))
    assert overlays.source(pinned) is None
    assert not (make(pinned).output / "0/new").exists()


def test_an_overlay_may_follow_a_branch(context: Context, guru: Repository) -> None:
    guru.git("branch", "stable")
    guru.commit("new", "")
    assert not (make(configured(context, overlay(guru, branch="stable"))).output / "0/new").exists()


def test_offline_an_overlay_is_the_one_that_was_last_there(context: Context, guru: Repository) -> None:
    with pytest.raises(UserError, match=r"overlays: .*guru\.git.*: is not in the cache"):
        make(configured(context, overlay(guru), offline=True))
    stage = make(configured(context, overlay(guru)))
    guru.commit("new", "")
    assert make(configured(context, overlay(guru), offline=True)).output == stage.output


def test_what_is_no_ebuild_repository_is_named_by_its_url(context: Context, guru: Repository) -> None:
    guru.commit("profiles/repo_name", "")
    with pytest.raises(UserError, match=r"^overlays: file:.*/guru\.git: not an ebuild repository"):
        make(configured(context, overlay(guru)))
    assert list((context.cache / "trees").iterdir()) == []
