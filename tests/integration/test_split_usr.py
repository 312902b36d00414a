"""A stage3 whose /usr is not merged: /bin, /sbin, /lib and /lib64 are folders, in the image too, and it boots."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from alchemy import context as contexts
from alchemy.context import Context
from alchemy.host import files
from alchemy.stages import outputs
from tests import repository
from tests.boot import guest
from tests.boot.conftest import PASSWORD, VERSION
from tests.integration import layout, realtree
from tests.lib.clones import Clone, small_clone
from tests.lib.keys import Key

pytestmark = pytest.mark.exhaustive

# two packages are built: the first has another layout than that of the tree, the other is not a later one of the tree
ATOMS = [*realtree.STAGE3, "sys-apps/baselayout::vendor", "dev-lang/python::vendor", f"app-misc/{realtree.PROGRAM}"]


@pytest.fixture(scope="module")
def clone(
    build_context: Context, secrets: Mapping[str, Key], kernel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Clone:
    """A clone with an image from such a stage3, and from a tree with a profile of Gentoo's name for it."""
    folder = tmp_path_factory.mktemp("split")
    tarball = folder / "stage3.tar.zst"
    layout.stage3(
        layout.furnished(build_context, realtree.STAGE3, folder, merged=False), tarball, "gentoo", secrets["ours"]
    )
    layout.serve(realtree.main(folder / "tree"), folder / "git/gentoo.git")
    made = small_clone(folder / "clone", ATOMS, shared=("distfiles",))
    shutil.copy(repository.ROOT / "chroot/setup.sh", made.root / "chroot/setup.sh")
    realtree.overlay(made.root / "overlays/vendor")
    realtree.unmerged_baselayout(made.root / "overlays/vendor")
    made.configure(
        {
            "stage3_url": tarball.as_uri(),
            "stage3_sha256": files.sha256(tarball),
            "sync": {"method": "git", "url": (folder / "git/gentoo.git").as_uri(), "verify": False},
            "profile": [realtree.SPLIT_USR],
            "password": PASSWORD,
            "linux_url": kernel.as_uri(),
            "linux_sha256": files.sha256(kernel),
            "compression": "zstd",
        }
    )
    made.build("build.all", f"--version={VERSION}")
    return made


@pytest.fixture
def context(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    """The context of the clone."""
    monkeypatch.chdir(clone.root)
    monkeypatch.setenv("ALCHEMY_CACHE_DIR", str(clone.cache))
    monkeypatch.setenv("ALCHEMY_WORK_DIR", str(clone.work))
    made = contexts.create(clone.root, VERSION)
    yield made
    made.runner.stop()


def test_the_image_has_the_folders_of_the_stage3(clone: Clone) -> None:
    (output,) = (path.parent for path in clone.cache.glob(f"stages/system-*/{outputs.PACKAGES}"))
    root = output / outputs.ROOT
    assert not [name for name in ("bin", "sbin", "lib", "lib64") if (root / name).is_symlink()]
    for path in ("bin/bash", "bin/busybox", "sbin/openrc-run", "lib64/ld-linux-x86-64.so.2"):
        assert (root / path).is_file()
        assert not (root / "usr" / path).is_file() or (root / "usr" / path).is_symlink()


def test_the_image_boots_to_a_login_and_runs_a_program(context: Context, tmp_path: Path) -> None:
    with guest.console(context, tmp_path, PASSWORD) as node:
        node.type(realtree.PROGRAM)
        node.expect(realtree.PRINTED)
