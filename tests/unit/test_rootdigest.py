from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from alchemy.parts import rootdigest


def tree(folder: Path) -> Path:
    (folder / "root/bin").mkdir(parents=True)
    (folder / "root/bin/sh").write_text("shell", encoding="utf-8")
    (folder / "root/bin/ash").write_text("shell", encoding="utf-8")
    (folder / "root/link").symlink_to("bin/sh")
    (folder / "database").mkdir()
    return folder


def relink(root: Path) -> None:
    (root / "link").unlink()
    (root / "link").symlink_to("bin/ash")


def hard_link(root: Path) -> None:
    (root / "bin/ash").unlink()
    (root / "bin/ash").hardlink_to(root / "bin/sh")


def pipe(root: Path) -> None:
    (root / "link").unlink()
    os.mkfifo(root / "link")


CHANGES: dict[str, tuple[Callable[[Path], object], bool]] = {
    "nothing": (lambda root: None, False),
    "a time": (lambda root: os.utime(root / "bin/sh", (1, 1)), False),
    "the database": (lambda root: (root.parent / "database/entry").touch(), False),
    "a content": (lambda root: (root / "bin/sh").write_text("other"), True),
    "a mode": (lambda root: (root / "bin/sh").chmod(0o4755), True),
    "the mode of a folder": (lambda root: (root / "bin").chmod(0o700), True),
    "an owner": (lambda root: os.chown(root / "bin/sh", 1, 1), True),
    "an attribute": (lambda root: os.setxattr(root / "bin/sh", "user.x", b"1"), True),
    "a new file": (lambda root: (root / "new").touch(), True),
    "an empty folder": (lambda root: (root / "new").mkdir(), True),
    "a name": (lambda root: (root / "bin/ash").rename(root / "bin/bash"), True),
    "where a link leads": (relink, True),
    "a link that is a pipe": (pipe, True),
    "files that are one": (hard_link, True),
}


@pytest.mark.parametrize(("change", "differs"), CHANGES.values(), ids=CHANGES.keys())
def test_the_digest_tells_what_a_squashfs_would_hold(
    tmp_path: Path, change: Callable[[Path], object], differs: bool
) -> None:
    folder = tree(tmp_path / "output")
    before = rootdigest.digest(folder, without=("database",))
    try:
        change(folder / "root")
    except OSError as error:
        pytest.skip(f"the file system or the user may not: {error}")
    assert (rootdigest.digest(folder, without=("database",)) != before) == differs


def test_two_builds_of_the_same_files_have_the_same_digest(tmp_path: Path) -> None:
    one = rootdigest.digest(tree(tmp_path / "one"), without=())
    time.sleep(0.01)
    assert rootdigest.digest(tree(tmp_path / "other"), without=()) == one
