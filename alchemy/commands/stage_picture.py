"""The picture and the table in docs/architecture.md: all stages that a configuration can have."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

from alchemy import context
from alchemy.config.model import Config
from alchemy.config.remotes import Overlay, Sync
from alchemy.context import Context
from alchemy.run import Runner
from alchemy.stage import Stage
from alchemy.stages import plan
from alchemy.ui.events import Log
from alchemy.ui.views import Lines

_FULL = Config(
    stage3_url="https://example.org/stage3.tar.xz",
    stage3_sha256="0" * 64,
    sync=Sync(method="git", url="https://example.org/tree.git", verify=False),
    overlays=(Overlay(url="https://example.org/overlay.git"),),
    embed_ramfs=True,
)


def markdown(root: Path) -> str:
    """Formats the stages as a Mermaid flowchart and a table. Nothing is fetched or built."""
    stages = list(plan.create(_context(root), {}).stages.values())
    lines = ["", "```mermaid", "flowchart TD", *_picture(stages), "```", ""]
    lines += ["Rounded stages are downloads, which `build.lock` pins.", ""]
    lines += ["| stage | from | module | makes |", "| --- | --- | --- | --- |", *map(_row, stages), ""]
    return "\n".join(lines)


def _context(root: Path) -> Context:
    return Context(
        root=root, config=_FULL, version="wip", work=root / "work", cache=root / "cache", bin=root / "bin",
        epoch=context.EPOCH, log=Log(Lines(io.StringIO())), runner=Runner(),
    )  # fmt: skip


def _picture(stages: list[Stage]) -> Iterator[str]:
    for stage in stages:
        yield f"    {_id(stage)}([{stage.name}])" if stage.external else f"    {_id(stage)}[{stage.name}]"
    for stage in stages:
        for need in stage.needs.values():
            # an arrow that another path implies would only hide the others
            if not any(need in _all_needs(other) for other in stage.needs.values()):
                yield f"    {_id(need)} --> {_id(stage)}"


def _all_needs(stage: Stage) -> list[Stage]:
    """Returns what a stage needs, directly or through others."""
    return [*stage.needs.values(), *(indirect for need in stage.needs.values() for indirect in _all_needs(need))]


def _id(stage: Stage) -> str:
    return stage.name.replace("-", "_")


def _row(stage: Stage) -> str:
    module = stage.build.__module__
    makes = (sys.modules[module].__doc__ or "").splitlines()[0]
    path = f"{module.replace('.', '/')}.py"
    needs = ", ".join(need.name for need in stage.needs.values())
    return f"| {stage.name} | {needs} | `{path}` | {makes} |"
