"""build.lock: writes alchemy.lock, which builds are of from then on."""

from __future__ import annotations

import dataclasses

from alchemy import archive, build, linux, lock, lockfile, pins, plan
from alchemy.context import Context
from alchemy.lockfile import Locked
from alchemy.pins import Pin
from alchemy.stage import Stage


def freeze(context: Context, *, update: bool) -> str:
    """Writes alchemy.lock: what the configuration stands for today. One that is there is only checked, unless `update`.

    Returns what was done. Raises UserError when the lock is not of this configuration.
    """
    path = context.root / lockfile.NAME
    if context.lock and not update:
        plan.create(context)
        return f"{path}: is there, and of this configuration (--update moves it)"
    build.require_host(context)
    context = dataclasses.replace(context, lock={})
    with lock.exclusive(context):
        plan.look(context)
        fetched = [stage for stage in plan.create(context).stages.values() if stage.external]
        plan.realize(context, fetched)
        known = {source.name: pins.known(context, source) or {} for source in plan.sources(context)}
        locked = {stage.name: _locked(stage, known.get(stage.name, {})) for stage in fetched}
        archive.write(path, lockfile.text(locked))
    return f"{path}: pins {', '.join(locked)}"


def _locked(stage: Stage, pin: Pin) -> Locked:
    return Locked(
        digest=stage.identity or "",
        inputs={name: value or "" for name, value in stage.inputs.items()},
        pin={**pin, **linux.version(stage.output)},
        files={path.name: archive.sha256(path) for path in sorted(stage.output.glob("*.tar.*"))},
    )
