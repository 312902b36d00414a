"""Each stage is broken on purpose: what the user is told, the status, the log, and that bin/ and cache/ stay whole."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from alchemy.context import Context
from tests.lib.clones import MAKEFILE, Clone, kernel_configuration, kernel_source, small_clone

BROKEN_EBUILD = """\
EAPI=8
DESCRIPTION="breaks"
SLOT="0"
LICENSE="MIT"
KEYWORDS="amd64"
S="${WORKDIR}"
src_compile() { die "no gold"; }
"""


@dataclasses.dataclass(frozen=True)
class Break:
    """What breaks a stage, and what a user sees then.

    `spoil` returns the files that break it, with their new text; `log` is in the stage's log.
    """

    spoil: Callable[[Clone, Path], Mapping[str, str]]
    status: int
    message: tuple[str, ...]
    log: str
    environ: Mapping[str, str] = dataclasses.field(default_factory=dict)


def write(name: str, text: str) -> Callable[[Clone, Path], Mapping[str, str]]:
    return lambda clone, folder: {name: text}


def append(name: str, text: str) -> Callable[[Clone, Path], Mapping[str, str]]:
    return lambda clone, folder: {name: (clone.root / name).read_text(encoding="utf-8") + text}


def configure(text: str) -> Callable[[Clone, Path], Mapping[str, str]]:
    return append("config.yml", text)


def another_digest(clone: Clone, _: Path) -> Mapping[str, str]:
    lines = (clone.root / "config.yml").read_text(encoding="utf-8").splitlines()
    return {"config.yml": f"{lines[0]}\nlinux_sha256: {'a' * 64}\n"}


def another_stage3(_: Clone, folder: Path) -> Mapping[str, str]:
    (folder / "stage3.tar.gz").write_text("no tarball", encoding="utf-8")
    url = f"stage3_url: file://{folder}/stage3.tar.gz\nstage3_sha256: {'a' * 64}\nsync: {{method: none}}\n"
    return {"config.yml": url + kernel_configuration(kernel_source(folder))}


def another_kernel(_: Clone, folder: Path) -> Mapping[str, str]:
    makefile = MAKEFILE.replace("sleep 1", "@echo no gold here; exit 1")
    return {"config.yml": kernel_configuration(kernel_source(folder, makefile))}


def broken_package(clone: Clone, _: Path) -> Mapping[str, str]:
    return {
        "overlays/embedded/app-misc/broken/broken-1.ebuild": BROKEN_EBUILD,
        **append("packages/packages.core", "app-misc/broken\n")(clone, Path()),
    }


BREAKS = {
    "stage3": Break(
        another_stage3, 4, ("stage3.tar.gz: digest mismatch (", f"stage3_sha256 expects {'a' * 64}"), "digest mismatch"
    ),
    "linux": Break(another_digest, 4, ("linux.tar.gz: has the SHA-256 ", f", not {'a' * 64}"), "has the SHA-256"),
    "kernel": Break(another_kernel, 3, ("kernel: make bzImage failed", "no gold here", "by hand: "), "no gold here"),
    "system": Break(
        broken_package, 3, ("app-misc/broken-1: failed to build", "no gold", "by hand: ", "hint: "), "app-misc/broken-1"
    ),
    "system-squashfs": Break(
        write("chroot/README.md", ""), 3, ("packing ", " failed", "by hand: "), "mksquashfs",
        environ={"SOURCE_DATE_EPOCH": "99999999999"},
    ),
    "identity-squashfs": Break(
        write("chroot/setup.sh", "echo no gold here; exit 7\n"), 3,
        ("chroot/setup.sh failed with status 7", "no gold here", "by hand: "), "no gold here",
    ),
    "ramfs": Break(
        write("chroot/pack-ramfs.sh", "echo no gold here; exit 7\n"), 3,
        ("chroot/pack-ramfs.sh failed with status 7", "no gold here", "by hand: "), "no gold here",
    ),
    "bundle": Break(
        configure("signing_key: README.md\n"), 3, ("signing with signing_key failed", "by hand: "), "ssh-keygen"
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def clone(build_context: Context, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone that is built."""
    made = small_clone(tmp_path_factory.mktemp("broken") / "clone")
    made.build()
    return made


def run(clone: Clone, *arguments: str, **environ: str) -> tuple[int, str, str]:
    process = clone.start(*arguments, **environ)
    output, errors = process.communicate()
    return process.returncode, output, errors


@pytest.mark.parametrize("stage", BREAKS)
def test_a_stage_that_fails_says_so_and_leaves_everything_whole(clone: Clone, stage: str, tmp_path: Path) -> None:
    case = BREAKS[stage]
    before = clone.published()
    spoiled = {clone.root / name: text for name, text in case.spoil(clone, tmp_path).items()}
    kept = {path: path.read_text(encoding="utf-8") if path.exists() else None for path in spoiled}
    for path, text in spoiled.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    try:
        status, output, errors = run(clone, "build.all", "--version=1.2", **case.environ)
        message = errors[errors.index("error: ") :]
        assert status == case.status, errors
        assert [part for part in case.message if part not in message] == [], message
        assert "Traceback" not in errors
        assert output == ""
        assert case.log in run(clone, "build.log")[1]
    finally:
        for path, old in kept.items():
            if old is None:
                path.unlink()
            else:
                path.write_text(old, encoding="utf-8")
    assert clone.published() == before
    clone.assert_whole()
    assert clone.build() == before


def test_a_stage3_that_is_damaged_in_the_cache_is_named(clone: Clone, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o700)
    shutil.copytree(clone.cache / "stage3", tmp_path / "cache" / "stage3", symlinks=False)
    for tarball in (tmp_path / "cache" / "stage3").glob("*/*.tar.zst"):
        with tarball.open("r+b") as file:
            file.truncate(tarball.stat().st_size // 2)
    damaged = dataclasses.replace(clone, cache=tmp_path / "cache", work=tmp_path / "work")
    status, output, errors = run(damaged, "build.kernel")
    assert (status, output) == (3, "")
    assert "unpacking the stage3 failed" in errors
    assert "Traceback" not in errors
    assert not list((tmp_path / "cache" / "stages").glob("*"))
    damaged.assert_whole()
