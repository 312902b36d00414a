"""The overlays of the configuration: repositories in git, each as it was at one commit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from alchemy import archive, git, pins, repositories
from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.pins import Pin, Source
from alchemy.stage import Stage

NAME = "overlays"


def source(context: Context) -> Source | None:
    """The branches to look up; None when each overlay is pinned to a commit."""
    moving = [overlay for overlay in context.config.overlays if overlay.commit is None]
    if not moving:
        return None

    def look() -> Pin:
        log = context.logfile(NAME)
        return {overlay.url: git.tip(context, overlay.url, overlay.branch, log) for overlay in moving}

    return Source(NAME, " ".join(f"{overlay.url} {overlay.branch or 'HEAD'}" for overlay in moving), look)


def stage(context: Context) -> Stage | None:
    """The stage that yields the overlays, each in a folder; None when there are none."""
    if not context.config.overlays:
        return None
    commits = _commits(context)
    return Stage(
        name=NAME,
        store=context.cache / "trees",
        # the later lies over the earlier
        inputs={**commits, "order": " ".join(commits)},
        build=lambda output: _build(context, commits, output),
        external=True,
    )


def _commits(context: Context) -> Mapping[str, str | None]:
    """The commit of each overlay, by its URL; None for what was never looked up."""
    asked = source(context)
    pin = (pins.known(context, asked) if asked else None) or {}
    return {overlay.url: overlay.commit or pin.get(overlay.url) for overlay in context.config.overlays}


def _build(context: Context, commits: Mapping[str, str | None], output: Path) -> None:
    log = context.logfile(NAME)
    width = len(str(len(commits)))
    for number, overlay in enumerate(context.config.overlays):
        work, target = context.work / NAME, output / f"{number:0{width}}"
        archive.remove(work)
        git.fetch(context, overlay.url, overlay.branch, commits[overlay.url] or "", work, log)
        git.checkout(context, work, target, log)
        archive.remove(work)
        try:
            repositories.name_of(target)
        except UserError as error:
            raise UserError(f"overlays: {overlay.url}: is no ebuild repository", hint=error.hint) from error
