"""The plan: all stages of a build, what each needs, and carrying them out."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from alchemy import (
    follow,
    gentoo,
    image,
    kernel,
    linux,
    lockfile,
    logs,
    overlays,
    pins,
    ramfs,
    rootfs,
    stage3,
    sync,
    system,
    toolbox,
)
from alchemy.context import Context
from alchemy.log import State
from alchemy.stage import Stage


@dataclass(frozen=True)
class Plan:
    """The stages by name, each behind those it needs. `trees` are those that yield repositories of ebuilds."""

    stages: dict[str, Stage]
    trees: tuple[Stage, ...] = ()

    def __getitem__(self, name: str) -> Stage:
        return self.stages[name]


def sources(context: Context) -> list[pins.Source]:
    """What the configuration leaves open."""
    asked = (gentoo.pointer(context), sync.source(context), overlays.source(context), linux.source(context))
    return [source for source in asked if source is not None]


def look(context: Context) -> None:
    """Looks up what the configuration leaves open: the plan that is made next is about the answers."""
    pins.look(context, sources(context))


def create(context: Context) -> Plan:
    """The plan of a build. Reads the repository, and starts nothing."""
    base = _pinned(context, stage3.stage(context))
    fetched = filter(None, [sync.stage(context, base), overlays.stage(context)])
    trees = tuple(_pinned(context, stage) for stage in fetched)
    tools = toolbox.stage(context, base, trees)
    source = _pinned(context, linux.stage(context))
    tree = system.stage(context, base, trees, tools)
    compiled = kernel.stage(context, source, tools)
    packages = rootfs.packages_stage(context, tree, tools)
    identity = rootfs.identity_stage(context, tree, tools)
    disk = ramfs.stage(context, tree, compiled, packages, identity, tools)
    stages = [base, *trees, tools, source, tree, compiled, packages, identity, disk]
    booted = compiled
    if context.config.embed_ramfs:
        booted = kernel.embedded_stage(context, source, tools, compiled, disk, ramfs.RAMFS)
        stages.append(booted)
    stages.append(image.stage(context, booted, tree, disk, (base, *trees, source)))
    _check_lock(context, stages)
    return Plan({stage.name: stage for stage in stages}, trees)


def _pinned(context: Context, stage: Stage) -> Stage:
    """The stage with what the lock says that it has to yield."""
    locked = context.lock.get(stage.name)
    return dataclasses.replace(stage, pinned=locked.digest) if locked else stage


def _check_lock(context: Context, stages: Iterable[Stage]) -> None:
    if context.lock:
        lockfile.check(context.root, context.lock, {stage.name: stage.inputs for stage in stages if stage.external})


def realize(context: Context, targets: Iterable[Stage]) -> None:
    """Builds the targets and whatever of their needs is not fresh; what does not depend on each other side by side.

    The first failure stops all others and is raised; so does Ctrl-C. What was complete by then stays.
    """
    wanted = list(targets)
    states: dict[str, State] = {
        stage.name: "fresh" if stage.fresh else "waiting" for stage in _with_needs(wanted).values()
    }
    with context.log.build(states), ThreadPoolExecutor(max_workers=16) as pool:
        work = _Work(context, pool)
        futures = [work.begin(target) for target in wanted]
        try:
            for future in futures:
                future.result()
        except BaseException:
            context.runner.stop()
            raise
        if work.failure is not None:
            raise work.failure


def _with_needs(stages: Iterable[Stage]) -> dict[str, Stage]:
    """The stages by name, each behind those that it needs."""
    found: dict[str, Stage] = {}
    for stage in stages:
        found |= {**_with_needs(stage.needs), stage.name: stage}
    return found


class _Work:
    """Begins each stage once, in a thread of its own, which waits for those it needs."""

    def __init__(self, context: Context, pool: ThreadPoolExecutor) -> None:
        self._context = context
        self._pool = pool
        self._begun: dict[str, Future[None]] = {}
        self._lock = threading.Lock()
        self.failure: BaseException | None = None

    def begin(self, stage: Stage) -> Future[None]:
        with self._lock:
            if stage.name not in self._begun:
                self._begun[stage.name] = self._pool.submit(self._ensure, stage)
            return self._begun[stage.name]

    def _ensure(self, stage: Stage) -> None:
        # without a key it cannot be told whether the stage is fresh: what it needs from outside comes first
        self._all(need for need in stage.needs if stage.key is None and need.identity is None)
        if stage.fresh:
            return
        self._all(stage.needs)
        if self.failure is not None:
            raise self.failure
        try:
            self._make(stage)
        except BaseException as error:
            # the other stage that runs beside this one has to end too, or the user waits for its hour
            with self._lock:
                first = self.failure is None
                self.failure = self.failure or error
            if first:
                self._context.runner.stop()
                logs.failed(self._context, stage.name, error)
            raise self.failure from None

    def _make(self, stage: Stage) -> None:
        log = self._context.logfile(stage.name)
        log.unlink(missing_ok=True)
        with self._context.log.stage(stage.name), follow.following(self._context.log, stage.name, log, stage.progress):
            stage.make()

    def _all(self, needs: Iterable[Stage]) -> None:
        for future in [self.begin(need) for need in needs]:
            future.result()
