from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from alchemy import context as contexts
from alchemy import freeze, lockfile, plan
from alchemy.config import Config
from alchemy.context import Context
from alchemy.errors import UserError, VerificationError
from alchemy.lockfile import Locked
from alchemy.remotes import Overlay
from alchemy.run import Runner
from alchemy.stage import Stage
from tests.unit import gits
from tests.unit.fakes import fake_stage
from tests.unit.gits import Repository

LOCKED = {
    "linux": Locked(digest="d", inputs={"linux_url": "u"}, pin={"version": "6.12.57-1"}),
    "stage3": Locked(digest="e", inputs={"stage3_url": "x"}, files={"stage3.tar.xz": "f"}),
}


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    assert lockfile.load(tmp_path) == {}
    (tmp_path / "alchemy.lock").write_text(lockfile.text(LOCKED), encoding="utf-8")
    assert lockfile.load(tmp_path) == LOCKED


@pytest.mark.parametrize(
    "text", ["", "[", "- a", "stage3: 1", "stage3: {digest: 1, inputs: {}}", "linux: {inputs: {}}"]
)
def test_a_file_that_is_no_lock_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "alchemy.lock").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"alchemy\.lock: is not what build\.lock has made") as caught:
        lockfile.load(tmp_path)
    assert "build.lock --update" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"linux": {"linux_url": "u"}}, "stage3: is in it, and nothing asks for it"),
        ({"linux": {"linux_url": "v"}, "stage3": {"stage3_url": "x"}}, "linux: linux_url is 'v', and 'u' in the lock"),
        (
            {"linux": {"linux_url": "u"}, "stage3": {"stage3_url": "x"}, "overlays": {"o": "1"}},
            "overlays: is not in it",
        ),
        (
            {"linux": {"linux_url": "u", "linux_keys": "k"}, "stage3": {"stage3_url": "x"}},
            "linux: linux_keys is 'k', and None in the lock",
        ),
    ],
)
def test_a_lock_of_another_configuration_is_refused(
    tmp_path: Path, asked: Mapping[str, Mapping[str, str | None]], said: str
) -> None:
    with pytest.raises(UserError) as caught:
        lockfile.check(tmp_path, LOCKED, asked)
    assert caught.value.message.splitlines()[1:] == [f"  {said}"]


def test_a_pinned_stage_is_made_again_when_it_is_there_with_another_content(tmp_path: Path) -> None:
    content = ["one"]

    def fetch(folder: Path) -> None:
        (folder / "file").write_text(content[0], encoding="utf-8")

    stage = fake_stage(tmp_path, "linux", build=fetch, external=True)
    stage.make()
    one = stage.identity
    assert dataclasses.replace(stage, pinned=one).fresh
    pinned = dataclasses.replace(stage, pinned="0" * 64)
    assert (pinned.fresh, pinned.identity, pinned.why()) == (False, None, "what is there is not what is pinned")
    with pytest.raises(VerificationError, match=f"linux: what came has the digest {one}, not 0000") as caught:
        pinned.make()
    assert "build.lock --update" in str(caught.value.hint)
    assert stage.identity == one
    content[0] = "other"
    other = fake_stage(tmp_path / "elsewhere", "linux", build=fetch, external=True)
    other.make()
    dataclasses.replace(stage, pinned=other.identity).make()
    assert stage.identity == other.identity


@pytest.fixture
def overlay(tmp_path: Path, real_processes: None) -> Repository:
    made = gits.make(tmp_path / "guru.git")
    made.commit("profiles/repo_name", "guru\n")
    return made


@pytest.fixture
def asked(context: Context, overlay: Repository, monkeypatch: pytest.MonkeyPatch) -> Context:
    """A build with an overlay, of a stage3 and a kernel that are fetched at once."""
    monkeypatch.setattr("alchemy.build.require_host", lambda _: None)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    folder = overlay.folder.parent
    for name in ("stage3", "linux"):
        (folder / f"{name}.tar.xz").write_bytes(name.encode())

    def fetched(name: str) -> Callable[[Context], Stage]:
        def fetch(output: Path) -> None:
            shutil.copy(folder / f"{name}.tar.xz", output)

        return lambda context: fake_stage(context.cache, name, inputs={f"{name}_url": "x"}, build=fetch, external=True)

    for name in ("stage3", "linux"):
        monkeypatch.setattr(f"alchemy.{name}.stage", fetched(name))
    config = Config(overlays=(Overlay(url=overlay.folder.as_uri()),))
    return dataclasses.replace(context, config=config, runner=Runner())


def locked(context: Context) -> Context:
    """The context of the next run."""
    return dataclasses.replace(context, lock=lockfile.load(context.root), runner=Runner())


def fetch(context: Context) -> Stage:
    plan.look(context)
    planned = plan.create(context)
    plan.realize(context, [planned["stage3"], planned["linux"], planned["overlays"]])
    return planned["overlays"]


def test_a_build_with_a_lock_is_of_what_it_pins(asked: Context, overlay: Repository) -> None:
    assert freeze.freeze(asked, update=False).endswith("alchemy.lock: pins stage3, overlays, linux")
    commit = overlay.git("rev-parse", "HEAD")
    overlay.commit("new", "")
    assert fetch(locked(asked)).inputs[overlay.folder.as_uri()] == commit
    elsewhere = dataclasses.replace(locked(asked), cache=asked.root / "other-cache")
    assert not (fetch(elsewhere).output / "0/new").exists()


def test_a_lock_stays_until_it_is_moved(asked: Context, overlay: Repository) -> None:
    freeze.freeze(asked, update=False)
    before = (asked.root / "alchemy.lock").read_text(encoding="utf-8")
    commit = overlay.commit("new", "")
    assert "is there" in freeze.freeze(locked(asked), update=False)
    assert (asked.root / "alchemy.lock").read_text(encoding="utf-8") == before
    freeze.freeze(locked(asked), update=True)
    assert commit in (asked.root / "alchemy.lock").read_text(encoding="utf-8")
    assert fetch(locked(asked)).inputs[overlay.folder.as_uri()] == commit


def test_another_branch_than_the_locks_is_refused(asked: Context, overlay: Repository) -> None:
    freeze.freeze(asked, update=False)
    overlay.git("branch", "stable")
    config = Config(overlays=(Overlay(url=overlay.folder.as_uri(), branch="stable"),))
    other = dataclasses.replace(locked(asked), config=config)
    with pytest.raises(UserError, match=r"overlays: is of .* HEAD, and the configuration asks for .* stable"):
        plan.look(other)
    with pytest.raises(UserError, match=r"alchemy\.lock"):
        plan.create(other)


def test_what_is_not_in_the_lock_is_refused(asked: Context) -> None:
    freeze.freeze(dataclasses.replace(asked, config=Config()), update=False)
    with pytest.raises(UserError, match="\n  overlays: is not in it"):
        fetch(locked(asked))


def test_what_a_mirror_has_changed_is_refused(asked: Context, overlay: Repository) -> None:
    freeze.freeze(asked, update=False)
    (overlay.folder.parent / "stage3.tar.xz").write_bytes(b"another")
    assert fetch(locked(asked))
    with pytest.raises(VerificationError, match="stage3: what came has the digest"):
        fetch(dataclasses.replace(locked(asked), cache=asked.root / "other-cache"))


def test_the_lock_is_read_with_the_configuration(root: Path) -> None:
    (root / "alchemy.lock").write_text(lockfile.text(LOCKED), encoding="utf-8")
    assert contexts.create(root).lock == LOCKED
