from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alchemy.config.model import Config
from alchemy.config.remotes import Sync
from alchemy.context import Context
from alchemy.errors import AlchemyError, BuildError, UserError, VerificationError
from alchemy.fetch import pins
from alchemy.run import Runner
from alchemy.stage import Pins, Stage
from alchemy.stages import tree
from tests.lib import gits, keys
from tests.lib.gits import Repository
from tests.unit.fakes import FakeRunner, fake_stage

URL = "https://example.org/stage3.tar.xz"


@pytest.fixture
def ours(secrets: Mapping[str, keys.Key]) -> keys.Key:
    return secrets["ours"]


@pytest.fixture
def repository(tmp_path: Path, ours: keys.Key, real_processes: None) -> Repository:
    made = gits.make(tmp_path / "tree", ours)
    made.commit("profiles/repo_name", "core-kit\n")
    return made


def configured(context: Context, key: keys.Key, **values: object) -> Context:
    config = Config(stage3_url=URL, stage3_keys=(str(key.public),), sync=Sync(**values))  # type: ignore[arg-type]
    return dataclasses.replace(context, config=config, runner=Runner())


def look(context: Context) -> Pins:
    """Looks up the tree, and keeps the answer."""
    seen = pins.look(context, filter(None, [tree.source(context)]), pins.read(context.cache))
    pins.write(context.cache, seen)
    return seen


def make(context: Context) -> Stage:
    """Looks up what is asked for, and makes the tree."""
    stage = tree.stage(context, look(context), {"stage3": fake_stage(context.cache, "stage3", external=True)})
    assert stage is not None
    stage.make()
    return stage


@pytest.fixture
def by_git(context: Context, repository: Repository, ours: keys.Key) -> Context:
    return configured(context, ours, method="git", url=repository.folder.as_uri())


def test_without_a_method_there_is_no_tree(context: Context) -> None:
    assert tree.source(context) is None
    assert tree.stage(context, {}, {"stage3": fake_stage(context.cache, "stage3")}) is None


def test_the_tip_of_a_branch_is_fetched_without_its_history(by_git: Context, repository: Repository) -> None:
    commit = repository.commit("app-misc/gold/gold-1.ebuild", "EAPI=8\n")
    stage = make(by_git)
    assert stage.inputs["commit"] == commit
    names = sorted(str(path.relative_to(stage.output)) for path in stage.output.rglob("*") if path.is_file())
    assert names == ["1/app-misc/gold/gold-1.ebuild", "1/profiles/repo_name", "identity", "stage.json"]


def test_the_tree_is_fetched_again_when_its_branch_has_moved(by_git: Context, repository: Repository) -> None:
    before = make(by_git)
    assert make(by_git).key == before.key
    repository.commit("a", "b")
    after = make(by_git)
    assert (after.key != before.key, after.identity != before.identity) == (True, True)


def test_a_branch_can_be_asked_for(context: Context, repository: Repository, ours: keys.Key) -> None:
    commit = repository.git("rev-parse", "HEAD")
    repository.git("branch", "stable")
    repository.commit("new", "")
    asked = {"method": "git", "url": repository.folder.as_uri()}
    assert make(configured(context, ours, branch="stable", **asked)).inputs["commit"] == commit
    with pytest.raises(UserError, match="no branch or tag unstable"):
        make(configured(context, ours, branch="unstable", **asked))


def test_a_commit_that_is_pinned_is_fetched_though_the_branch_has_moved(
    context: Context, repository: Repository, ours: keys.Key
) -> None:
    commit = repository.git("rev-parse", "HEAD")
    repository.commit("new", "")
    stage = make(configured(context, ours, method="git", url=repository.folder.as_uri(), commit=commit))
    assert not (stage.output / "1/new").exists()


def test_a_pinned_commit_that_is_not_there_is_refused(context: Context, repository: Repository, ours: keys.Key) -> None:
    context = configured(context, ours, method="git", url=repository.folder.as_uri(), commit="0" * 39 + "1")
    with pytest.raises(VerificationError, match="the server does not offer commit 0000"):
        make(context)
    assert list((context.cache / "trees").iterdir()) == []


@pytest.mark.parametrize(("signer", "fault"), [("other", "not trusted"), (None, "is not signed")])
def test_a_commit_needs_a_signature_of_a_key_of_the_configuration(
    context: Context,
    repository: Repository,
    ours: keys.Key,
    secrets: Mapping[str, keys.Key],
    signer: str | None,
    fault: str,
) -> None:
    Repository(repository.folder, secrets[signer or "ours"]).commit("new", "", sign=signer is not None)
    asked = {"method": "git", "url": repository.folder.as_uri()}
    with pytest.raises(VerificationError, match=fault):
        make(configured(context, ours, **asked))
    assert list((context.cache / "trees").iterdir()) == []
    make(configured(context, ours, verify=False, **asked))


def test_what_is_no_ebuild_repository_is_refused(by_git: Context, repository: Repository) -> None:
    repository.commit("profiles/repo_name", "")
    with pytest.raises(VerificationError, match="not an ebuild repository"):
        make(by_git)


def test_offline_the_tree_is_the_one_that_was_last_there(by_git: Context, repository: Repository) -> None:
    stage = make(by_git)
    repository.commit("new", "")
    offline = dataclasses.replace(by_git, config=by_git.config.model_copy(update={"offline": True}))
    assert make(offline).output == stage.output


# ── Portage's own ways ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def base(context: Context) -> Stage:
    stage = fake_stage(context.cache, "stage3", build=lambda folder: (folder / "stage3.tar.zst").touch(), external=True)
    stage.make()
    return stage


@dataclass
class Mirror:
    """Snapshots of the tree by file: URL, the newest of yesterday."""

    folder: Path
    date: str

    def put(self, *suffixes: str) -> None:
        (self.folder / "snapshots").mkdir(parents=True, exist_ok=True)
        for suffix in suffixes:
            (self.folder / f"snapshots/gentoo-{self.date}.tar.xz{suffix}").write_text(suffix, encoding="utf-8")


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Mirror(tmp_path / "mirror", f"{datetime.now(UTC) - timedelta(days=1):%Y%m%d}")


@pytest.fixture
def portage(runner: FakeRunner, monkeypatch: pytest.MonkeyPatch) -> FakeRunner:
    """A chroot in which each program does what Portage would."""
    monkeypatch.setattr("shutil.which", lambda name: None)

    def run(argv: list[str]) -> None:
        if "--extract" in argv:
            (Path(argv[argv.index("--directory") + 1]) / "etc/portage").mkdir(parents=True)
        elif argv[0] == "rsync":
            Path(argv[-1]).write_text("Tue, 24 Nov 2026 17:00:00 +0000\n", encoding="utf-8")
        elif argv[0] == "bwrap" and {"emerge-webrsync", "rsync"} & set(argv):
            tree = Path(argv[argv.index("/var/db/repos/gentoo") - 1] if "emerge-webrsync" in argv else argv[-1])
            (tree / "profiles").mkdir()
            (tree / "profiles/repo_name").write_text("gentoo\n", encoding="utf-8")

    runner.on_run = run
    return runner


def synced(context: Context, base: Stage, **values: object) -> Stage:
    context = dataclasses.replace(context, config=Config(stage3_url=URL, sync=Sync(**values)))  # type: ignore[arg-type]
    stage = tree.stage(context, look(context), {"stage3": base})
    assert stage is not None
    stage.make()
    return stage


@pytest.mark.parametrize("verify", [True, False])
def test_the_newest_snapshot_is_handed_to_emerge_webrsync(
    context: Context, base: Stage, mirror: Mirror, portage: FakeRunner, verify: bool
) -> None:
    mirror.put("", ".md5sum", *([".gpgsig"] if verify else []))
    stage = synced(context, base, method="webrsync", url=mirror.folder.as_uri(), verify=verify)
    assert stage.inputs["snapshot"] == mirror.date
    command = portage.calls[-1].argv[portage.calls[-1].argv.index("emerge-webrsync") :]
    assert command[1:] == [f"--revert={mirror.date}", "--keep", *([] if verify else ["--no-pgp-verify"])]


def test_a_snapshot_that_is_not_signed_is_refused(
    context: Context, base: Stage, mirror: Mirror, portage: FakeRunner
) -> None:
    mirror.put("", ".md5sum")
    with pytest.raises(VerificationError, match=r"not signed: no \.gpgsig next to it"):
        synced(context, base, method="webrsync", url=mirror.folder.as_uri())


def test_a_mirror_without_a_snapshot_of_late_is_named(
    context: Context, base: Stage, mirror: Mirror, portage: FakeRunner
) -> None:
    with pytest.raises(UserError, match="mirror/snapshots: no snapshot of the last"):
        synced(context, base, method="webrsync", url=mirror.folder.as_uri())


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("emerge-webrsync: signature verification failed for 'x.tar.xz'", VerificationError),
        (" * 20261124 snapshot was not found", VerificationError),
        ("!!! Manifest verification failed:", VerificationError),
        ("tar: cannot write: no space left on device", BuildError),
    ],
)
def test_what_portage_does_not_trust_is_no_failed_build_step(
    context: Context, base: Stage, mirror: Mirror, portage: FakeRunner, said: str, error: type[AlchemyError]
) -> None:
    mirror.put("", ".md5sum", ".gpgsig")
    run = portage.on_run

    def fail(argv: list[str]) -> None:
        run(argv)
        if "emerge-webrsync" in argv:
            raise BuildError(f"syncing failed with status 1\n  {said}\nlog: x")

    portage.on_run = fail
    with pytest.raises(error, match=said.partition("(")[0]) as caught:
        synced(context, base, method="webrsync", url=mirror.folder.as_uri())
    assert type(caught.value) is error


def test_a_snapshot_is_verified_without_the_network_and_without_key_servers(
    context: Context, base: Stage, mirror: Mirror, portage: FakeRunner
) -> None:
    mirror.put("", ".md5sum", ".gpgsig")
    synced(context, base, method="webrsync", url=mirror.folder.as_uri())
    argv = portage.calls[-1].argv
    assert "--unshare-net" in argv
    assert 'rm "$gemato"' in argv[argv.index("emerge-webrsync") - 2]


RSYNC_URL = "rsync://example.org/gentoo"


def test_a_tree_by_rsync_is_copied_by_the_host_and_verified_without_the_network(
    context: Context, base: Stage, portage: FakeRunner
) -> None:
    stage = synced(context, base, method="rsync", url=RSYNC_URL)
    assert stage.inputs["timestamp"] == "Tue, 24 Nov 2026 17:00:00 +0000"
    calls = [call for call in portage.calls if {"--no-links", "gemato"} & set(call.argv)]
    assert all(call.confined for call in calls)
    copying, verifying = (call.argv for call in calls)
    assert copying[copying.index("--ro-bind") :][:3] == ["--ro-bind", "/", "/"]
    target = copying[copying.index("--bind") + 1]
    assert copying[-3:] == ["--", f"{RSYNC_URL}/", f"{target}/"]
    assert "--unshare-net" in verifying
    assert verifying[verifying.index("/var/db/repos/gentoo") - 2 :][:2] == ["--ro-bind", target]
    keys = "/usr/share/openpgp-keys/gentoo-release.asc"
    assert {"--no-refresh-keys", "--require-signed-manifest", keys} < set(verifying[verifying.index("gemato") :])


def test_by_rsync_a_tree_that_nobody_signs_may_be_taken(context: Context, base: Stage, portage: FakeRunner) -> None:
    synced(context, base, method="rsync", url=RSYNC_URL, verify=False)
    assert [call.argv for call in portage.calls if "gemato" in call.argv] == []


@pytest.mark.parametrize("said", ["bwrap: execvp gemato: No such file or directory", "ERROR:root:Manifest mismatch"])
def test_a_tree_by_rsync_that_cannot_be_verified_is_refused(
    context: Context, base: Stage, portage: FakeRunner, said: str
) -> None:
    run = portage.on_run

    def fail(argv: list[str]) -> None:
        run(argv)
        if "gemato" in argv:
            raise BuildError(f"gemato failed with status 1\n  {said}\nlog: x")

    portage.on_run = fail
    with pytest.raises(VerificationError, match=f"verification of its Manifests failed\n  {said}"):
        synced(context, base, method="rsync", url=RSYNC_URL)
    assert list((context.cache / "trees").iterdir()) == []


@pytest.mark.parametrize(
    ("host", "options"), [("me@example.org", []), ("me@example.org:2222", ["--rsh=ssh -p 2222"]), ("[2001:db8::1]", [])]
)
def test_rsync_through_ssh_is_asked_in_its_own_words(
    context: Context, base: Stage, portage: FakeRunner, host: str, options: list[str]
) -> None:
    synced(context, base, method="rsync", url=f"ssh://{host}/srv/gentoo")
    remote = f"{host.removesuffix(':2222')}:/srv/gentoo"
    asked = [call.argv[call.argv.index("rsync") :][:-1] for call in portage.calls if "rsync" in call.argv]
    expected = [[*options, "--", f"{remote}/metadata/timestamp.chk"], [*options, "--", f"{remote}/"]]
    assert [argv[-len(words) :] for argv, words in zip(asked, expected, strict=True)] == expected
