"""The files of the repository: what git tracks, and what it would track."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from tests import repository


@cache
def files() -> tuple[Path, ...]:
    """Needs the fixture real_processes."""
    try:
        listing = subprocess.run(
            ["git", "-C", repository.ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            stdout=subprocess.PIPE,
            check=True,
        ).stdout.decode()
    except (OSError, subprocess.CalledProcessError) as error:
        repository.skip_or_fail(f"git cannot say which files are the repository's: {error}")
    paths = (repository.ROOT / name for name in listing.split("\0") if name)
    return tuple(sorted(path for path in paths if path.is_file() and not path.is_symlink()))


def text(path: Path) -> str | None:
    """The content of a text file; None for any other."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def is_shell(path: Path) -> bool:
    """Whether it is a shell script by its first line, or a part of one by its line for shellcheck."""
    first, *rest = [*(text(path) or "").splitlines()[:12], ""]
    if first.startswith("#!") and first.split("/")[-1].split()[-1] in ("sh", "bash", "dash", "ash"):
        return True
    return path.suffix not in (".py", ".md") and any(line.startswith("# shellcheck shell=") for line in (first, *rest))
