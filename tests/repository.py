"""The repository under test: where it is, copies of it, and its commands run as a user would."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


def logs(tier: str) -> Path:
    """Makes and returns the folder for the consoles of a tier's machines: work/log/TIER."""
    # a build refuses a work directory that others can read
    work().mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = work() / "log" / tier
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def environ() -> dict[str, str]:
    """The environment of a command that builds a copy of the repository by a configuration of its own."""
    inherited = {name: value for name, value in os.environ.items() if name != "ALCHEMY_CONFIG"}
    return {**inherited, "ALCHEMY_CACHE_DIR": str(cache()), "ALCHEMY_WORK_DIR": str(work())}


def copy(target: Path) -> Path:
    """A copy of the repository without what a build makes, and without the user's config.yml."""
    here = shutil.ignore_patterns(
        ".git", ".venv", "bin", "cache", "work", "config.yml", "alchemy.lock", ".*_cache", "*.egg-info"
    )
    anywhere = shutil.ignore_patterns("__pycache__")

    def ignore(folder: str, names: list[str]) -> set[str]:
        return {*anywhere(folder, names), *(here(folder, names) if Path(folder) == ROOT else ())}

    shutil.copytree(ROOT, target, symlinks=True, ignore=ignore)
    return target


def copy_commands(target: Path) -> None:
    """Copies the command line into another folder, whose repository its commands then are of."""
    shutil.copy(ROOT / "tasks.py", target)
    shutil.copytree(ROOT / "cli", target / "cli", ignore=shutil.ignore_patterns("__pycache__"))


def command(*arguments: str) -> list[str]:
    """Returns what runs a command of the repository that is the current folder, as ./run does when all is installed."""
    return [sys.executable, "-m", "cli", *arguments]


@contextmanager
def locked() -> Iterator[None]:
    """Has one worker at a time use the shared cache and work directory, where the second of two builds fails."""
    folder = os.open(ROOT, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def invoke(root: Path, *arguments: str) -> str:
    """Runs a command of the repository at `root` and returns what it prints on stdout. Its messages go to the test's
    output.

    Fails when the command fails.
    """
    with locked():
        done = subprocess.run(
            command(*arguments), cwd=root, env=environ(), stdout=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 0, f"./run {' '.join(arguments)} ended with status {done.returncode}\n{done.stdout}"
    return done.stdout


def skip_or_fail(reason: str) -> NoReturn:
    """Skips on a user's machine; in CI, where everything has to run, it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
