"""The repository under test: where it is, copies of it, and its commands run as a user would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parent.parent


# the package sets of images; packages.build is for the build chroot of a Gentoo stage3, and of Gentoo's tree
SETS = sorted(set((ROOT / "packages").glob("packages.*")) - {ROOT / "packages" / "packages.build"})


def cache() -> Path:
    """The cache that tests share with builds, as ALCHEMY_CACHE_DIR says."""
    return (ROOT / (os.environ.get("ALCHEMY_CACHE_DIR") or "cache")).resolve()


def work() -> Path:
    """The work directory, as ALCHEMY_WORK_DIR says."""
    return (ROOT / (os.environ.get("ALCHEMY_WORK_DIR") or "work")).resolve()


def environ() -> dict[str, str]:
    """The environment of a command that builds a copy of the repository by a configuration of its own."""
    inherited = {name: value for name, value in os.environ.items() if name != "ALCHEMY_CONFIG"}
    return {**inherited, "ALCHEMY_CACHE_DIR": str(cache()), "ALCHEMY_WORK_DIR": str(work())}


def copy(target: Path) -> Path:
    """A copy of the repository without what a build makes, and without the user's config.yml."""
    generated = shutil.ignore_patterns(
        ".git", ".venv", "bin", "cache", "work", "config.yml", "alchemy.lock", "__pycache__", ".*_cache", "*.egg-info"
    )
    shutil.copytree(ROOT, target, symlinks=True, ignore=generated)
    return target


def invoke(root: Path, *arguments: str) -> str:
    """What a command of the repository at `root` prints on stdout; its messages go to the test's output.

    Fails when the command fails.
    """
    command = [sys.executable, "-m", "invoke", *arguments]
    done = subprocess.run(command, cwd=root, env=environ(), stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, f"invoke {' '.join(arguments)} ended with status {done.returncode}\n{done.stdout}"
    return done.stdout


def skip_or_fail(reason: str) -> NoReturn:
    """Skips on a user's machine; in CI, where everything has to run, it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
