"""Repositories in git, with commits of a throw-away key."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lib import keys


@dataclass
class Repository:
    """A repository on the branch main, whose commits `key` signs. Needs the fixture real_processes."""

    folder: Path
    key: keys.Key | None = None

    def git(self, *arguments: str) -> str:
        values = ["user.name=x", "user.email=x@example.org"]
        if self.key:
            values.append(f"user.signingkey={self.key.fingerprint}")
        return subprocess.run(
            ["git", "-C", self.folder, *(word for value in values for word in ("-c", value)), *arguments],
            env={"PATH": "/usr/bin:/bin", "GNUPGHOME": str(self.key and self.key.home), "HOME": "/nonexistent"},
            stdout=subprocess.PIPE, text=True, check=True,
        ).stdout.strip()  # fmt: skip

    def commit(self, name: str, text: str, *, sign: bool = True) -> str:
        """Writes a file and commits it; returns the commit."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", name, "--gpg-sign" if sign and self.key else "--no-gpg-sign")
        return self.git("rev-parse", "HEAD")


def make(folder: Path, key: keys.Key | None = None) -> Repository:
    """A new repository without a commit."""
    folder.mkdir(parents=True)
    made = Repository(folder, key)
    made.git("init", "--quiet", "--initial-branch=main")
    return made
