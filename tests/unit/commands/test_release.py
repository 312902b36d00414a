"""release.check and release.cut, in a real repository with a build that is stood in for."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from alchemy.commands import build, docs, release
from alchemy.commands.docs import Part
from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.run import Runner

NEWS = "# News\n\n## Unreleased\n\n- gold\n\n## 1.0 (2026-01-01)\n\n- lead\n"
TODAY = date(2026, 11, 28)

pytestmark = pytest.mark.usefixtures("real_processes")

Git = Callable[..., str]


@pytest.fixture
def git(root: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """git in the small repository, which is committed."""
    monkeypatch.setenv("HOME", str(root.parent))

    def run(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    (root / "NEWS.md").write_text(NEWS, encoding="utf-8")
    (root / ".gitignore").write_text("/bin/\n/work/\n/cache/\n", encoding="utf-8")
    run("init", "--quiet", "--initial-branch=main")
    run("config", "user.name", "A Maintainer")
    run("config", "user.email", "maintainer@example.com")
    run("add", "--all")
    run("commit", "--quiet", "--message=first")
    return run


@pytest.fixture
def ready(context: Context, git: Git, monkeypatch: pytest.MonkeyPatch) -> Context:
    """The context of a repository that is ready for a release; its build only writes the sums and their signature."""

    def built(context: Context, *_: str) -> None:
        context.bin.mkdir(exist_ok=True)
        for name in ("SHA256SUMS", "SHA256SUMS.sig"):
            (context.bin / name).write_text(name, encoding="utf-8")

    monkeypatch.setattr(build, "build", built)
    monkeypatch.setattr(docs, "parts", lambda _: [])
    return dataclasses.replace(context, config=Config(signing_key="id"), runner=Runner())


def test_a_repository_that_is_ready(ready: Context) -> None:
    assert release.check(ready) == []


def test_all_that_is_missing_is_named_at_once(ready: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    (ready.root / "NEWS.md").write_text("# News\n\n## Unreleased\n\n## 1.0 (2026-01-01)\n\n- lead\n", encoding="utf-8")
    monkeypatch.setattr(docs, "parts", lambda _: [Part("NEWS.md", "x", lambda root, current: "new")])
    monkeypatch.setattr(Part, "is_stale", lambda *_: True)
    assert release.check(dataclasses.replace(ready, config=Config())) == [
        "working tree: 1 uncommitted changes (git status)",
        "NEWS.md: no entries under '## Unreleased'",
        "NEWS.md: x is stale (./run docs.update)",
        "signing_key: missing in config.yml; a release signs SHA256SUMS",
    ]


def test_a_release_is_dated_committed_built_and_tagged(ready: Context, git: Git) -> None:
    said = release.cut(ready, TODAY)
    assert "git push origin HEAD v1.2" in said
    assert "signed by SHA256SUMS.sig" in said
    news = (ready.root / "NEWS.md").read_text(encoding="utf-8")
    assert news == NEWS.replace("## Unreleased\n", "## Unreleased\n\n## 1.2 (2026-11-28)\n")
    assert git("log", "--format=%s") == "release: 1.2\nfirst"
    assert git("rev-parse", "v1.2^{commit}") == git("rev-parse", "HEAD")
    digest = hashlib.sha256(b"SHA256SUMS").hexdigest()
    assert git("tag", "--list", "--format=%(contents)", "v1.2") == f"Alchemy Linux 1.2\n\nSHA256SUMS: SHA-256 {digest}"
    assert git("status", "--porcelain") == ""


def test_a_release_whose_build_failed_is_resumed_by_the_same_command(
    ready: Context, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = build.build

    def fails(*_: object) -> None:
        raise BuildError("it broke")

    monkeypatch.setattr(build, "build", fails)
    with pytest.raises(BuildError):
        release.cut(ready, TODAY)
    assert git("tag") == ""
    monkeypatch.setattr(build, "build", works)
    release.cut(ready, date(2026, 11, 29))
    assert git("log", "--format=%s") == "release: 1.2\nfirst"
    assert "## 1.2 (2026-11-28)" in (ready.root / "NEWS.md").read_text(encoding="utf-8")
    assert git("tag") == "v1.2"


@pytest.mark.parametrize("version", ["wip", "v1.2", "1.2+dirty", "1.2-beta"])
def test_a_version_that_is_no_release_is_refused(ready: Context, git: Git, version: str) -> None:
    with pytest.raises(UserError, match=r"^VERSION: not a release \(expected 1\.2 or 1\.2-rc1, got "):
        release.cut(dataclasses.replace(ready, version=version), TODAY)
    assert git("log", "--format=%s") == "first"


def test_a_release_that_exists_or_is_not_ready_changes_nothing(ready: Context, git: Git) -> None:
    git("tag", "v1.2")
    with pytest.raises(UserError, match=r"^v1\.2: the tag exists"):
        release.cut(ready, TODAY)
    (ready.root / "left").touch()
    with pytest.raises(UserError, match=r"^not ready for a release\n  working tree: 1 uncommitted"):
        release.cut(dataclasses.replace(ready, version="1.3"), TODAY)
    assert git("log", "--format=%s") == "first"
