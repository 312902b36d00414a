"""The commands release.check and release.cut."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from alchemy.commands import build, docs
from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.host import files
from alchemy.parts import signing
from alchemy.stages import bundle, outputs

_NEWS = "NEWS.md"
_UNRELEASED = "## Unreleased\n"
_ENTRIES = re.compile(rf"^{_UNRELEASED}(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)*(-rc[0-9]+)?")


def check(context: Context) -> list[str]:
    """Returns what the repository lacks for a release, a line each."""
    problems = []
    if changed := _git(context, "status", "--porcelain").splitlines():
        problems.append(f"working tree: {len(changed)} uncommitted changes (git status)")
    entries = _ENTRIES.search(_news(context))
    if entries is None or not entries[1].strip():
        problems.append(f"{_NEWS}: no entries under {_UNRELEASED.strip()!r}")
    problems += [
        f"{part.file}: {part.name} is stale (./run docs.update)"
        for part in docs.parts({})
        if part.is_stale(context.root)
    ]
    if context.config.signing_key is None:
        problems.append("signing_key: missing in config.yml; a release signs SHA256SUMS")
    return problems


def cut(context: Context, today: date) -> str:
    """Makes the release `context.version`: dates its section of NEWS.md, commits that, builds, and tags the commit.

    Returns the next steps; pushes nothing. After a failed build, the same call resumes with the build. Raises UserError
    for a version that is not a number or exists already, and for all that `check` returns.
    """
    version, tag = context.version, f"v{context.version}"
    if not _VERSION.fullmatch(version):
        raise UserError(f"VERSION: not a release (expected 1.2 or 1.2-rc1, got {version})")
    if _git(context, "tag", "--list", tag):
        raise UserError(f"{tag}: the tag exists", hint=f"git show {tag}")
    heading = f"## {version} ("
    dated = heading in _news(context)
    problems = check(context)
    if dated:
        # resumed: the entries are in the section of this version
        problems = [problem for problem in problems if not problem.startswith(_NEWS)]
    if problems:
        raise UserError("\n".join(["not ready for a release", *(f"  {problem}" for problem in problems)]))
    if not dated:
        text = _news(context).replace(_UNRELEASED, f"{_UNRELEASED}\n{heading}{today.isoformat()})\n", 1)
        files.write(context.root / _NEWS, text)
        _git(context, "commit", "--quiet", f"--message=release: {version}", "--", _NEWS)
    build.build(context, bundle.NAME)
    sums = context.bin / outputs.SUMS
    signature = next(path for suffix in signing.SUFFIXES if (path := sums.with_name(f"{sums.name}{suffix}")).exists())
    message = f"Alchemy Linux {version}\n\n{sums.name}: SHA-256 {files.sha256(sums)}"
    _git(context, "tag", "--annotate", f"--message={message}", tag)
    return (
        f"{tag}: tagged; {context.bin} holds the release, signed by {signature.name}\n"
        f"next: git push origin HEAD {tag}, and publish the files of bin/"
    )


def _news(context: Context) -> str:
    return (context.root / _NEWS).read_text(encoding="utf-8")


def _git(context: Context, *arguments: str | Path) -> str:
    return context.runner.capture(["git", "-C", context.root, *arguments], what=f"git {arguments[0]}").strip()
