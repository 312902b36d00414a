"""The command build.lock: writes alchemy.lock, which pins everything that a build fetches."""

from __future__ import annotations

import dataclasses

from alchemy.commands import build
from alchemy.config import lockfile
from alchemy.config.lockfile import Locked
from alchemy.context import Context
from alchemy.host import files, locking
from alchemy.stage import Pin, Stage
from alchemy.stages import linux, plan


def lock(context: Context, *, update: bool) -> str:
    """Resolves what the configuration names and writes alchemy.lock. Only checks an existing lock, unless `update`.

    Returns a message. Raises UserError when the lock does not match the configuration, or nothing can be locked.
    """
    plan.require_lockable(context)
    path = context.root / lockfile.NAME
    if context.lock and not update:
        plan.create(context, plan.recall(context))
        return f"{path}: up to date (--update resolves everything again)"
    build.require_host(context)
    context = dataclasses.replace(context, lock={})
    with locking.exclusive(context):
        seen = plan.look(context)
        fetched = [stage for stage in plan.create(context, seen).stages.values() if stage.external]
        plan.realize(context, fetched)
        moving = {source.name: seen[source.name] for source in plan.sources(context)}
        locked = {stage.name: _locked(stage, moving.get(stage.name, {})) for stage in fetched}
        files.write(path, lockfile.text(locked))
    return f"{path}: written; pins {', '.join(locked)}"


def _locked(stage: Stage, pin: Pin) -> Locked:
    return Locked(
        digest=stage.identity or "",
        inputs={name: value or "" for name, value in stage.inputs.items()},
        pin={**pin, **linux.version(stage.output)},
        files={path.name: files.sha256(path) for path in sorted(stage.output.glob("*.tar.*"))},
    )
