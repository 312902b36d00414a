"""build.verify: builds a second time, and compares the bytes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from alchemy.commands import build, cache
from alchemy.context import Context
from alchemy.errors import VerificationError
from alchemy.host import files, locking
from alchemy.stage import RECORD, Stage
from alchemy.stages import bundle, outputs, plan, tools

# Files of an output that may differ: the record has the seconds that the stage took, Portage's database has times.
_VARYING = frozenset({RECORD, outputs.DATABASE})

_BLOCK = 1 << 20


def verify(context: Context, *, everything: bool) -> list[str]:
    """Builds the cheap stages a second time and compares them; with `everything` all stages, from the same sources,
    without any cached binpkg or object file. Returns their names. Builds missing stages first.

    Raises VerificationError that names each file that differs, and the first byte that does.
    """
    build.build(context, bundle.NAME)
    folder = context.work / "verify"
    with locking.exclusive(context):
        files.remove(folder)
        again = _everything(context, folder) if everything else _cheap(context, folder)
        first = plan.create(context, plan.recall(context))
        differing = [
            f"{name}: {line}" for name, stage in again.items() for line in differences(first[name].output, stage.output)
        ]
        files.remove(folder)
    if differing:
        raise VerificationError(
            "\n".join(["not reproducible: the second build differs", *(f"  {line}" for line in differing)])
        )
    return list(again)


def _cheap(context: Context, folder: Path) -> dict[str, Stage]:
    """Builds the cheap stages again, in `folder`, from the outputs of the first build."""
    stages = {
        name: dataclasses.replace(stage, store=folder)
        for name, stage in plan.create(context, plan.recall(context)).stages.items()
        if stage.cheap
    }
    for stage in stages.values():
        stage.make()
    return stages


def _everything(context: Context, folder: Path) -> dict[str, Stage]:
    """Builds all stages but those that fetch or unpack again, in `folder`, with a cache of downloads only."""
    second = dataclasses.replace(
        context, work=folder / "work", cache=cache.borrow(context, folder / "cache", cache.FETCHED)
    )
    planned = plan.create(second, plan.recall(second))
    plan.realize(second, [planned[bundle.NAME]])
    return {
        name: stage
        for name, stage in planned.stages.items()
        # no file of the tools is in an image, and Portage writes times into them
        if not stage.external and name != tools.NAME
    }


def differences(one: Path, other: Path) -> list[str]:
    """Returns a line for each path that is in one folder only, or whose kind, permissions or content differ."""
    names = sorted({path.relative_to(folder) for folder in (one, other) for path in folder.rglob("*")})
    return [
        f"{name}: {how}" for name in names if name.parts[0] not in _VARYING and (how := _how(one / name, other / name))
    ]


def _how(one: Path, other: Path) -> str:
    """Says how two paths differ; empty when they are the same."""
    there = [path for path in (one, other) if path.exists() or path.is_symlink()]
    if len(there) == 1:
        return "only in the first build" if there[0] == one else "only in the second build"
    first, second = one.lstat(), other.lstat()
    if (first.st_mode, first.st_uid, first.st_gid) != (second.st_mode, second.st_uid, second.st_gid):
        return f"mode or owner {first.st_mode:o} {first.st_uid}:{first.st_gid}, then " + (
            f"{second.st_mode:o} {second.st_uid}:{second.st_gid}"
        )
    if one.is_symlink():
        return "" if one.readlink() == other.readlink() else f"a link to {one.readlink()}, then to {other.readlink()}"
    return _where(one, other) if one.is_file() else ""


def _where(one: Path, other: Path) -> str:
    with one.open("rb") as first, other.open("rb") as second:
        at = 0
        while True:
            blocks = first.read(_BLOCK), second.read(_BLOCK)
            if blocks[0] != blocks[1]:
                same = next((n for n, (a, b) in enumerate(zip(*blocks, strict=False)) if a != b), min(map(len, blocks)))
                sizes = f"{one.stat().st_size} and {other.stat().st_size} bytes"
                return f"differs from byte {at + same} on ({sizes})"
            if not blocks[0]:
                return ""
            at += _BLOCK
