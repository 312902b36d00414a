"""Whole builds on Gentoo, from a mirror on the loopback: a signed stage3, and the tree in git or as a snapshot.

No mirror of Gentoo can be reached from CI: the stage3 is made of the embedded one, and the tree has its ebuilds.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from alchemy.context import Context
from alchemy.host import files
from alchemy.stages import outputs, plan, stage3
from tests.integration import layout
from tests.lib import tables
from tests.lib.clones import Clone, kernel_source, small_clone
from tests.lib.gentoo import Releases, flip
from tests.lib.gits import Repository
from tests.lib.keys import Key
from tests.lib.mirror import Server

ATOMS = ("sys-apps/baselayout", "sys-libs/glibc", "sys-libs/gcc-runtime", "sys-apps/busybox", layout.SCRIPTS)

# the parts of the cache that clones have in common
SHARED = ("packages", "distfiles")

# what overlays/alchemy brings, which is used on any Gentoo
OURS = {"sys-libs/gcc-runtime"}


@dataclasses.dataclass
class Site:
    """A mirror, the tree that is published there, and a clone whose user has configured it."""

    server: Server
    secrets: Mapping[str, Key]
    tree: Repository
    commit: str
    clone: Clone

    @property
    def config(self) -> dict[str, Any]:
        linux = self.server.folder / "linux.tar.gz"
        return {
            "stage3_url": f"{self.server.url}/releases/amd64/autobuilds/latest-stage3-amd64-openrc.txt",
            "stage3_keys": [str(self.secrets["ours"].public)],
            "sync": {"method": "git", "url": f"{self.server.url}/git/gentoo.git"},
            "linux_url": f"{self.server.url}/{linux.name}",
            "linux_sha256": files.sha256(linux),
        }

    def take_snapshots(self) -> Path:
        """Publishes a snapshot of the tree, which the configuration asks for from now on."""
        self.clone.configure(self.config | {"sync": {"method": "webrsync", "url": self.server.url}})
        yesterday = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=1)
        return layout.snapshot(self.server.folder / "snapshots", self.tree, yesterday, self.secrets["ours"])

    def publish_packages(self, context: Context, key: Key) -> Path:
        """Publishes a binary package of the build chroot, signed by a key; its file."""
        folder = self.server.folder / "binpackages"
        files.remove(folder)
        folder.mkdir()
        layout.binhost(context, self.clone.work / "chroot", self.tree, folder, "sys-apps/busybox", key)
        return next(folder.rglob("*.gpkg.tar"))

    def publish(self) -> None:
        layout.serve(self.tree, self.server.folder / "git/gentoo.git")


@pytest.fixture(scope="module")
def base(build_context: Context) -> Path:
    """The tarball of the embedded stage3."""
    made = plan.create(build_context, plan.recall(build_context))["stage3"]
    plan.realize(build_context, [made])
    return made.output / stage3.TARBALL


@pytest.fixture(scope="module")
def built(base: Path, secrets: Mapping[str, Key], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site, with an image built."""
    folder = tmp_path_factory.mktemp("gentoo")
    releases = Releases(folder / "mirror/releases/amd64/autobuilds", secrets)
    releases.tarball.parent.mkdir(parents=True)
    layout.stage3(base, releases.tarball, "gentoo", releases.key, lean=True)
    releases.sign_all()
    kernel_source(folder / "mirror")
    tree = layout.tree(folder / "tree", "gentoo", releases.key)
    layout.take_applets(tree)
    clone = small_clone(folder / "clone", ATOMS, SHARED)
    site = Site(Server(folder / "mirror"), secrets, tree, tree.git("rev-parse", "HEAD"), clone)
    site.publish()
    site.clone.configure(site.config)
    site.clone.build("build.all", "--version=1.2")
    yield site
    site.server.stop()


@pytest.fixture
def site(built: Site) -> Iterator[Site]:
    """The site as it was, whatever a test does to its tree and its configuration."""
    seen = built.clone.cache / "seen.json"
    answers = seen.read_bytes()
    yield built
    seen.write_bytes(answers)
    built.tree.git("reset", "--quiet", "--hard", built.commit)
    built.publish()
    built.clone.configure(built.config)


def manifest(clone: Clone) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((clone.root / "bin/manifest.json").read_text())
    return read


def packages(clone: Clone) -> dict[str, str]:
    """The repository of each package of the image that was built last."""
    listed = json.loads((newest(clone) / outputs.PACKAGES).read_text())
    return {f"{p['category']}/{p['name']}": p["repository"] for p in listed}


def newest(clone: Clone) -> Path:
    """The output of the system stage that was made last."""
    found = clone.cache.glob(f"stages/system-*/{outputs.PACKAGES}")
    return max(found, key=lambda path: path.stat().st_mtime).parent


@contextmanager
def aside(path: Path) -> Iterator[None]:
    """Has a part of the cache be missing."""
    elsewhere = path.rename(path.parent.with_name("aside"))
    try:
        yield
    finally:
        files.remove(path)
        elsewhere.rename(path)


def test_an_image_is_built_from_the_synced_tree(site: Site) -> None:
    found = packages(site.clone)
    assert set(ATOMS) <= set(found)
    assert {atom: name for atom, name in found.items() if name != "gentoo"} == dict.fromkeys(OURS, "alchemy")
    assert site.commit in json.dumps(manifest(site.clone))


def test_scripts_that_cannot_run_are_left_out_and_the_manifest_lists_them_and_the_profile(site: Site) -> None:
    found = manifest(site.clone)
    left_out = {entry["path"]: (entry["interpreter"], entry["package"]) for entry in found["left_out"]}
    assert left_out.pop(layout.PERL_SCRIPT) == ("/usr/bin/perl", f"{layout.SCRIPTS}-1")
    interpreter, package = left_out.pop("/usr/bin/ldd")
    assert interpreter == "/bin/bash"
    assert package.startswith("sys-libs/glibc-")
    assert not left_out
    assert found["profile"] == [f"gentoo:{layout.PROFILE}"]


def test_with_a_lock_a_build_is_of_what_was_there_then(site: Site) -> None:
    before = site.clone.published()
    site.clone.build("build.lock")
    lock = site.clone.root / "alchemy.lock"
    try:
        assert site.commit in lock.read_text()
        site.tree.commit("profiles/package.mask", "sys-apps/busybox\n")
        site.publish()
        assert site.clone.build("build.all", "--version=1.2") == before
    finally:
        lock.unlink()


@pytest.mark.exhaustive
def test_the_tree_may_be_a_daily_snapshot(site: Site) -> None:
    site.take_snapshots()
    site.clone.build("build.system")
    assert set(packages(site.clone).values()) == {"gentoo", "alchemy"}


@pytest.mark.exhaustive
def test_a_stage3_of_funtoo_has_its_kits_in_git_and_several_profiles(base: Path, site: Site, tmp_path: Path) -> None:
    tarball = site.server.folder / "stage3-funtoo.tar.zst"
    profiles = [f"core-kit:{path}" for path in layout.FUNTOO]
    layout.funtoos_stage3(base, tarball, "core-kit", site.secrets["ours"], profiles)
    for kit in layout.kits(tmp_path):
        layout.serve(kit, site.server.folder / f"git/{kit.folder.name}.git")
    clone = small_clone(tmp_path / "clone", ("sys-apps/baselayout", layout.KITS), SHARED)
    clone.configure(
        {
            "stage3_url": f"{site.server.url}/{tarball.name}",
            "stage3_sha256": files.sha256(tarball),
            "sync": {"method": "git", "url": f"{site.server.url}/git/core-kit.git", "verify": False},
            "overlays": [f"{site.server.url}/git/gold-kit.git"],
        }
    )
    clone.build("build.system")
    output = newest(clone)
    assert packages(clone) == {"sys-apps/baselayout": "core-kit", layout.KITS: "gold-kit"}
    assert json.loads((output / outputs.ABOUT).read_text())["profile"] == profiles
    assert (output / outputs.ROOT / layout.KITS_FILE).read_text() == "gold\n"


def unsigned(site: Site) -> None:
    site.tree.commit("evil", "", sign=False)
    site.publish()


def by_another(site: Site) -> None:
    dataclasses.replace(site.tree, key=site.secrets["other"]).commit("evil", "")
    site.publish()


def without_the_pinned(site: Site) -> None:
    site.clone.configure(site.config | {"sync": {**site.config["sync"], "commit": "0" * 39 + "1"}})


def snapshot_by_another(site: Site) -> None:
    snapshot = site.take_snapshots()
    layout.sign(snapshot, site.secrets["other"])


def changed_snapshot(site: Site) -> None:
    snapshot = site.take_snapshots()
    flip(snapshot)
    layout.list_digest(snapshot)


def unsigned_snapshot(site: Site) -> None:
    site.take_snapshots().with_suffix(".xz.gpgsig").unlink()


ATTACKS: Mapping[str, tuple[Callable[[Site], None], str]] = {
    "a commit that is not signed": (unsigned, "is not signed"),
    "a commit by another": (by_another, "the signature is of a key that is not trusted"),
    "another commit than the pinned one": (without_the_pinned, "the server does not offer commit 0000"),
    "a snapshot by another": (snapshot_by_another, "refused: verification by Portage failed"),
    "a snapshot that was changed": (changed_snapshot, "refused: verification by Portage failed"),
    "a snapshot that is not signed": (unsigned_snapshot, "not signed: no .gpgsig next to it"),
}


@pytest.mark.parametrize(("attack", "message"), tables.rows(ATTACKS, "a commit by another", "a snapshot by another"))
def test_an_attack_on_the_tree_is_refused(site: Site, attack: Callable[[Site], None], message: str) -> None:
    attack(site)
    with aside(site.clone.cache / "trees"):
        before = site.clone.kept()
        status, said = site.clone.run("build.system")
        after = site.clone.kept()
    assert status == 4, said
    assert f"error: {site.server.url}/" in said
    assert message in said
    assert after == before


@pytest.fixture
def consumer(site: Site, tmp_path: Path) -> Clone:
    """A clone without any binary packages, that is configured for the site's."""
    clone = small_clone(tmp_path / "consumer", shared=("distfiles",))
    for name in ("stage3", "trees"):
        (clone.cache / name).symlink_to(site.clone.cache / name)
    clone.configure(site.config | {"binhosts": [f"{site.server.url}/binpackages"]})
    return clone


def test_packages_of_a_binhost_are_not_built_again(build_context: Context, site: Site, consumer: Clone) -> None:
    site.publish_packages(build_context, site.secrets["ours"])
    consumer.build("build.system")
    log = (consumer.work / "log/system.log").read_text()
    assert not re.search(r"Emerging \(\d of \d\) sys-apps/busybox", log)
    assert re.search(r"Emerging \(\d of \d\) sys-apps/baselayout", log)


def change(package: Path) -> None:
    flip(package)


def index_digests(package: Path) -> list[str]:
    content = package.read_bytes()
    return [hashlib.new(name, content, usedforsecurity=False).hexdigest() for name in ("md5", "sha1")]


def change_and_list(package: Path) -> None:
    """Changes a package, and the index with it, as whoever owns the host can."""
    index = next(package.parents[2].glob("Packages"))
    index.with_suffix(".gz").unlink(missing_ok=True)
    before = index_digests(package)
    flip(package)
    text = index.read_text()
    for old, new in zip(before, index_digests(package), strict=True):
        assert old in text
        text = text.replace(old, new)
    index.write_text(text)


REFUSED: Mapping[str, tuple[str, Callable[[Path], None], str]] = {
    "changed": ("ours", change, "error: binhosts: verification failed"),
    "changed with its index": ("ours", change_and_list, "error: Portage refuses what was fetched"),
    "by another": ("other", lambda _: None, "error: Portage refuses what was fetched"),
}


@pytest.mark.parametrize(("key", "attack", "message"), tables.rows(REFUSED, "by another"))
def test_a_package_of_a_binhost_is_refused(
    build_context: Context, site: Site, consumer: Clone, key: str, attack: Callable[[Path], None], message: str
) -> None:
    attack(site.publish_packages(build_context, site.secrets[key]))
    status, said = consumer.run("build.system")
    assert status == 4, said
    assert message in said
    assert not [path for path in consumer.cache.rglob("*.gpkg.tar*") if path.name.startswith("busybox")]


@pytest.mark.exhaustive
def test_offline_it_is_built_again_from_the_cache(site: Site) -> None:
    before = site.clone.published()
    for folder in (site.clone.work, site.clone.cache / "stages", site.clone.root / "bin"):
        files.remove(folder)
    site.server.stop()
    try:
        site.clone.build("build.all", "--version=1.2", "--offline")
    finally:
        site.server.start()
    assert site.clone.published() == before


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("stage3", "/stage3-amd64-openrc-20261122T170000Z.tar.xz: is not in the cache"),
        ("trees", "/git/gentoo.git"),
        ("kernel", "/linux.tar.gz: is not in the cache"),
        ("seen.json", "latest-stage3-amd64-openrc.txt: is not in the cache"),
    ],
)
def test_offline_what_is_missing_is_named(site: Site, missing: str, named: str) -> None:
    with aside(site.clone.cache / missing):
        status, said = site.clone.run("build.all", "--version=1.2", "--offline")
    assert status == 2, said
    assert named in said


def test_offline_a_source_that_is_missing_is_named(site: Site, tmp_path: Path) -> None:
    clone = small_clone(tmp_path / "clone", shared=())
    for name in ("stage3", "trees", "seen.json"):
        (clone.cache / name).symlink_to(site.clone.cache / name)
    clone.configure(site.config)
    status, said = clone.run("build.system", "--offline")
    assert status == 2, said
    assert "busybox-1.37.0.tar.bz2" in said
