"""A disk that runs full while a build writes to it: a message, status 3, and nothing half-written."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy.commands import build
from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.host import files, folders
from alchemy.stages import plan
from alchemy.stages.plan import Plan
from tests import repository
from tests.unit.fakes import fake_stage, snapshot

MEGABYTE = 1 << 20


@pytest.fixture
def disk(tmp_path: Path, build_context: Context) -> Iterator[Path]:
    """A file system of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    build_context.runner.run(["mount", "-t", "tmpfs", "-o", "size=8M,mode=0700", "tmpfs", folder])
    try:
        yield folder
    finally:
        build_context.runner.run(["umount", folder])


def invoke(root: Path, task: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        repository.command(task), cwd=root, env={**os.environ, **environ}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


def kernel_of(folder: Path, root: Path) -> None:
    """Configures a kernel tarball that is larger than the small disk."""
    tarball = folder / "linux.tar.xz"
    tarball.write_bytes(os.urandom(9 * MEGABYTE))
    text = f"linux_url: file://{tarball}\nlinux_sha256: {files.sha256(tarball)}\n"
    (root / "config.yml").write_text(text, encoding="utf-8")


def test_a_full_cache_directory(build_context: Context, disk: Path, tmp_path: Path) -> None:
    root = repository.copy(tmp_path / "alchemy")
    kernel_of(tmp_path, root)
    (disk / "stage3").symlink_to(repository.cache() / "stage3")
    done = invoke(root, "build.kernel", ALCHEMY_CACHE_DIR=str(disk), ALCHEMY_WORK_DIR=str(tmp_path / "work"))
    assert done.returncode == 3, done.stderr
    assert "No space left on device" in done.stderr
    assert f"cache_dir {disk} has " in done.stderr
    assert "Traceback" not in done.stderr
    # the tools are unpacked meanwhile, and nothing of them stays either
    assert {path.name for path in disk.rglob("*") if path.is_dir()} - {"tools"} == {"kernel", "stage3"}


def test_a_full_work_directory(build_context: Context, disk: Path, tmp_path: Path) -> None:
    root = repository.copy(tmp_path / "alchemy")
    cache = tmp_path / "cache"
    folders.make(folders.CACHE, cache, root)
    for name in ("stage3", "kernel"):
        (cache / name).symlink_to(repository.cache() / name)
    planned = plan.create(build_context, plan.recall(build_context))
    plan.realize(build_context, [planned["linux"], planned["stage3"]])
    done = invoke(root, "build.system", ALCHEMY_CACHE_DIR=str(cache), ALCHEMY_WORK_DIR=str(disk))
    assert done.returncode == 3, done.stderr
    assert done.stderr.splitlines()[-1].startswith("hint: work_dir")
    assert "error: the disk is full: " in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(disk.rglob(".*.tmp"))
    assert list((cache / "stages").iterdir()) == []


def test_a_full_bin_keeps_the_last_good_set(
    build_context: Context, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = dataclasses.replace(build_context, bin=disk, cache=tmp_path / "cache", work=tmp_path / "work")

    def build_image(megabytes: int) -> None:
        def fill(folder: Path) -> None:
            (folder / "alchemy.img").write_bytes(os.urandom(megabytes * MEGABYTE))

        image = fake_stage(context.cache, "bundle", inputs={"size": str(megabytes)}, build=fill)
        monkeypatch.setattr(plan, "create", lambda *_: Plan({"bundle": image}))
        build.build(context, "bundle")

    build_image(3)
    before = snapshot(disk)
    with pytest.raises(BuildError, match="No space left on device") as caught:
        build_image(6)
    assert f"bin {disk} has " in str(caught.value)
    assert snapshot(disk) == before
