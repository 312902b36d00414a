from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from alchemy import context as contexts
from alchemy.commands import pin
from alchemy.config import lockfile
from alchemy.config.lockfile import Locked
from alchemy.config.model import Config
from alchemy.config.remotes import Overlay
from alchemy.context import Context
from alchemy.errors import UserError, VerificationError
from alchemy.run import Runner
from alchemy.stage import Stage
from alchemy.stages import plan
from tests.lib import gits
from tests.lib.gits import Repository
from tests.unit.fakes import fake_stage, planned

LOCKED = {
    "linux": Locked(digest="d", inputs={"linux_url": "u"}, pin={"version": "6.12.57-1"}),
    "stage3": Locked(digest="e", inputs={"stage3_url": "x"}, files={"stage3.tar.xz": "f"}),
}


def test_a_written_lock_is_read_back(tmp_path: Path) -> None:
    assert lockfile.load(tmp_path) == {}
    (tmp_path / "alchemy.lock").write_text(lockfile.text(LOCKED), encoding="utf-8")
    assert lockfile.load(tmp_path) == LOCKED


@pytest.mark.parametrize(
    "text", ["", "[", "- a", "stage3: 1", "stage3: {digest: 1, inputs: {}}", "linux: {inputs: {}}"]
)
def test_an_invalid_lock_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "alchemy.lock").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"alchemy\.lock: not a valid lock file") as caught:
        lockfile.load(tmp_path)
    assert "build.lock --update" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"linux": {"linux_url": "u"}}, "stage3: locked, but not used by this configuration"),
        (
            {"linux": {"linux_url": "v"}, "stage3": {"stage3_url": "x"}},
            "linux: linux_url: locked for 'u', but config.yml has 'v'",
        ),
        (
            {"linux": {"linux_url": "u"}, "stage3": {"stage3_url": "x"}, "overlays": {"o": "1"}},
            "overlays: not locked",
        ),
        (
            {"linux": {"linux_url": "u", "linux_keys": "k"}, "stage3": {"stage3_url": "x"}},
            "linux: linux_keys: locked for None, but config.yml has 'k'",
        ),
    ],
)
def test_a_lock_for_another_configuration_is_refused(
    tmp_path: Path, asked: Mapping[str, Mapping[str, str | None]], said: str
) -> None:
    with pytest.raises(UserError) as caught:
        lockfile.check(tmp_path, LOCKED, asked)
    assert caught.value.message.splitlines()[1:] == [f"  {said}"]


def test_a_pinned_stage_with_other_content_is_stale(tmp_path: Path) -> None:
    content = ["one"]

    def fetch(folder: Path) -> None:
        (folder / "file").write_text(content[0], encoding="utf-8")

    stage = fake_stage(tmp_path, "linux", build=fetch, external=True)
    stage.make()
    one = stage.identity
    assert dataclasses.replace(stage, pinned=one).fresh
    pinned = dataclasses.replace(stage, pinned="0" * 64)
    assert (pinned.fresh, pinned.identity, pinned.why()) == (False, None, "cached output does not match alchemy.lock")
    with pytest.raises(
        VerificationError, match=f"linux: digest mismatch: alchemy.lock expects 0000.*, got {one}"
    ) as caught:
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
    monkeypatch.setattr("alchemy.commands.build.require_host", lambda _: None)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    folder = overlay.folder.parent
    for name in ("stage3", "linux"):
        (folder / f"{name}.tar.xz").write_bytes(name.encode())

    def fetched(name: str) -> Callable[..., Stage]:
        def fetch(output: Path) -> None:
            shutil.copy(folder / f"{name}.tar.xz", output)

        return lambda context, *_: fake_stage(
            context.cache, name, inputs={f"{name}_url": "x"}, build=fetch, external=True
        )

    for name in ("stage3", "linux"):
        monkeypatch.setattr(f"alchemy.stages.{name}.stage", fetched(name))
    config = Config(overlays=(Overlay(url=overlay.folder.as_uri()),))
    return dataclasses.replace(context, config=config, runner=Runner())


def locked(context: Context) -> Context:
    """The context of the next run."""
    return dataclasses.replace(context, lock=lockfile.load(context.root), runner=Runner())


def fetch(context: Context) -> Stage:
    stages = plan.create(context, plan.look(context))
    plan.realize(context, [stages["stage3"], stages["linux"], stages["overlays"]])
    return stages["overlays"]


def test_a_build_with_a_lock_uses_the_pinned_versions(asked: Context, overlay: Repository) -> None:
    assert pin.lock(asked, update=False).endswith("alchemy.lock: written; pins stage3, overlays, linux")
    commit = overlay.git("rev-parse", "HEAD")
    overlay.commit("new", "")
    assert fetch(locked(asked)).inputs[overlay.folder.as_uri()] == commit
    elsewhere = dataclasses.replace(locked(asked), cache=asked.root / "other-cache")
    assert not (fetch(elsewhere).output / "0/new").exists()


def test_a_lock_changes_only_by_update(asked: Context, overlay: Repository) -> None:
    pin.lock(asked, update=False)
    before = (asked.root / "alchemy.lock").read_text(encoding="utf-8")
    commit = overlay.commit("new", "")
    assert "up to date" in pin.lock(locked(asked), update=False)
    assert (asked.root / "alchemy.lock").read_text(encoding="utf-8") == before
    pin.lock(locked(asked), update=True)
    assert commit in (asked.root / "alchemy.lock").read_text(encoding="utf-8")
    assert fetch(locked(asked)).inputs[overlay.folder.as_uri()] == commit


def test_a_branch_other_than_the_locked_one_is_refused(asked: Context, overlay: Repository) -> None:
    pin.lock(asked, update=False)
    overlay.git("branch", "stable")
    config = Config(overlays=(Overlay(url=overlay.folder.as_uri(), branch="stable"),))
    other = dataclasses.replace(locked(asked), config=config)
    with pytest.raises(UserError, match=r"overlays: locked for .* HEAD, but config.yml asks for .* stable"):
        plan.look(other)
    with pytest.raises(UserError, match=r"alchemy\.lock"):
        planned(other)


def test_a_download_that_is_not_locked_is_refused(asked: Context) -> None:
    pin.lock(dataclasses.replace(asked, config=Config()), update=False)
    with pytest.raises(UserError, match="\n  overlays: not locked"):
        fetch(locked(asked))


def test_a_changed_file_of_a_mirror_is_refused(asked: Context, overlay: Repository) -> None:
    pin.lock(asked, update=False)
    (overlay.folder.parent / "stage3.tar.xz").write_bytes(b"another")
    assert fetch(locked(asked))
    with pytest.raises(VerificationError, match=r"stage3: digest mismatch: alchemy\.lock expects"):
        fetch(dataclasses.replace(locked(asked), cache=asked.root / "other-cache"))


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"code of another")


def swap(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/null")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("stage3", lambda output: append(output / "stage3.tar.xz")),
        ("stage3", lambda output: swap(output / "stage3.tar.xz")),
        ("stage3", lambda output: (output / "another.tar.xz").touch()),
        ("linux", lambda output: append(output / "linux.tar.xz")),
        ("overlays", lambda output: append(output / "0/profiles/repo_name")),
        ("overlays", lambda output: (output / "0/profiles/repo_name").chmod(0o755)),
    ],
)
def test_a_build_with_a_lock_hashes_cached_downloads_before_use(
    asked: Context, name: str, change: Callable[[Path], object]
) -> None:
    pin.lock(asked, update=False)
    context = locked(asked)
    fetch(context)
    output = planned(context)[name].output
    change(output)
    with pytest.raises(VerificationError, match=f"{name}: digest mismatch of {output} ") as caught:
        fetch(locked(asked))
    assert f"rm -r {output}" in str(caught.value.hint)


def test_a_download_that_no_stage_needs_is_not_hashed(asked: Context) -> None:
    pin.lock(asked, update=False)
    context = locked(asked)
    source = planned(context)["linux"]
    made = fake_stage(context.cache, "kernel", source)
    plan.realize(context, [made])
    append(source.output / "linux.tar.xz")
    plan.realize(context, [made])
    with pytest.raises(VerificationError, match="digest mismatch"):
        plan.realize(context, [fake_stage(context.cache, "other", source)])


@pytest.mark.parametrize("with_lock", [False, True])
def test_a_lock_conflicts_with_binhosts(asked: Context, with_lock: bool) -> None:
    pin.lock(asked, update=False)
    context = locked(asked) if with_lock else asked
    hosts = asked.config.model_copy(update={"binhosts": ("https://example.org/binpkgs",)})
    context = dataclasses.replace(context, config=hosts)
    with pytest.raises(UserError, match="binhosts: cannot be locked"):
        pin.lock(context, update=True)
    if with_lock:
        with pytest.raises(UserError, match="binhosts: cannot be locked"):
            planned(context)


def test_the_lock_is_read_with_the_configuration(root: Path) -> None:
    (root / "alchemy.lock").write_text(lockfile.text(LOCKED), encoding="utf-8")
    assert contexts.create(root).lock == LOCKED
