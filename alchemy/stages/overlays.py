"""The overlays of config.yml: ebuild trees in git, each at one commit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.fetch import git, pins
from alchemy.fetch.pins import Source
from alchemy.host import files
from alchemy.portage import repositories
from alchemy.stage import Pin, Pins, Stage

NAME = "overlays"


def source(context: Context) -> Source | None:
    """Returns the branches to look up; None when each overlay is pinned to a commit."""
    moving = [overlay for overlay in context.config.overlays if overlay.commit is None]
    if not moving:
        return None

    def look(_: Pin | None) -> Pin:
        log = context.logfile(NAME)
        return {overlay.url: git.tip(context, overlay.url, overlay.branch, log) for overlay in moving}

    return Source(NAME, " ".join(f"{overlay.url} {overlay.branch or 'HEAD'}" for overlay in moving), look)


def stage(context: Context, seen: Pins, _: Mapping[str, Stage]) -> Stage | None:
    """Declares the stage that fetches the overlays, each into a folder; None without overlays."""
    if not context.config.overlays:
        return None
    commits = _commits(context, seen)
    return Stage(
        name=NAME,
        store=context.cache / "trees",
        # a later overlay overrides an earlier one
        inputs={**commits, "order": " ".join(commits)},
        build=lambda output, _: _build(context, commits, output),
        external=True,
    )


def _commits(context: Context, seen: Pins) -> Mapping[str, str | None]:
    """Returns the commit of each overlay, by its URL; None where it was never looked up."""
    asked = source(context)
    pin = (pins.known(context, seen, asked) if asked else None) or {}
    return {overlay.url: overlay.commit or pin.get(overlay.url) for overlay in context.config.overlays}


def _build(context: Context, commits: Mapping[str, str | None], output: Path) -> None:
    log = context.logfile(NAME)
    width = len(str(len(commits)))
    for number, overlay in enumerate(context.config.overlays):
        work, target = context.work / NAME, output / f"{number:0{width}}"
        files.remove(work)
        git.fetch(context, overlay.url, overlay.branch, commits[overlay.url] or "", work, log)
        git.checkout(context, work, target, log)
        files.remove(work)
        try:
            repositories.name_of(target)
        except UserError as error:
            raise UserError(f"overlays: {overlay.url}: not an ebuild repository", hint=error.hint) from error
