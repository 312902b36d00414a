"""Builds what is there a second time, and compares the bytes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from alchemy import archive, build, cache, lock, plan
from alchemy.context import Context
from alchemy.errors import VerificationError
from alchemy.stage import Stage

# what takes seconds; the others take Portage's or the kernel's time
_CHEAP = ("packages", "identity", "ramfs", "image")

# kept beside an output and no part of it: the seconds that a stage took, and Portage's database, which has times in it
_BESIDE = frozenset({"stage.json", "database"})

_BLOCK = 1 << 20


def verify(context: Context, *, everything: bool) -> list[str]:
    """Builds the cheap stages again, after building what is not there; with `everything` all stages, of the same
    sources, without any binary package or object file of before. Returns their names.

    Raises VerificationError that names each file that differs, and where it begins to.
    """
    build.build(context, "image")
    folder = context.work / "verify"
    with lock.exclusive(context):
        archive.remove(folder)
        again = _everything(context, folder) if everything else _cheap(context, folder)
        first = plan.create(context)
        differing = [
            f"{name}: {line}" for name, stage in again.items() for line in differences(first[name].output, stage.output)
        ]
        archive.remove(folder)
    if differing:
        raise VerificationError("\n".join(["a second build gave other bytes", *(f"  {line}" for line in differing)]))
    return list(again)


def _cheap(context: Context, folder: Path) -> dict[str, Stage]:
    """The cheap stages, made again in `folder` of what the first build has made of the others."""
    stages = {
        name: dataclasses.replace(stage, store=folder)
        for name, stage in plan.create(context).stages.items()
        if name in _CHEAP
    }
    for stage in stages.values():
        stage.make()
    return stages


def _everything(context: Context, folder: Path) -> dict[str, Stage]:
    """All that is neither fetched nor unpacked, built in `folder` with a cache that only has what was fetched."""
    anew = dataclasses.replace(
        context, work=folder / "work", cache=cache.borrow(context, folder / "cache", cache.FETCHED)
    )
    planned = plan.create(anew)
    plan.realize(anew, [planned["image"]])
    return {
        name: stage
        for name, stage in planned.stages.items()
        if not stage.external and stage.store.is_relative_to(anew.cache)
    }


def differences(one: Path, other: Path) -> list[str]:
    """A line for each path below two folders that is only in one, or differs: in its kind, permissions or content."""
    names = sorted({path.relative_to(folder) for folder in (one, other) for path in folder.rglob("*")})
    return [
        f"{name}: {how}" for name in names if name.parts[0] not in _BESIDE and (how := _how(one / name, other / name))
    ]


def _how(one: Path, other: Path) -> str:
    """How two paths differ; empty when they don't."""
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
