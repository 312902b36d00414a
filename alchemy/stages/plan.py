"""The plan: all stages of a build, what each needs, and carrying them out."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterable, Mapping
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from alchemy.config import lockfile
from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.fetch import pins
from alchemy.fetch.pins import Source
from alchemy.host import logs
from alchemy.parts import sitesecret
from alchemy.portage import repositories
from alchemy.stage import Pins, Stage
from alchemy.stages import (
    bundle,
    embedded,
    gentoo_release,
    identity_squashfs,
    kernel,
    linux,
    modules_squashfs,
    overlays,
    ramfs,
    stage3,
    system,
    system_squashfs,
    toolbox,
    tools,
    tree,
)
from alchemy.ui import follow
from alchemy.ui.events import State


class Declaration(Protocol):
    """A module of stages/ that declares a stage."""

    def stage(self, context: Context, seen: Pins, made: Mapping[str, Stage], /) -> Stage | None:
        """Declares the stage for a configuration; None when that has no use for it. `made` are the stages before it."""


class Moving(Protocol):
    """A module of stages/ of which something moves, and has to be looked up."""

    def source(self, context: Context, /) -> Source | None:
        """Returns what to look up; None when the configuration leaves nothing open."""


# All stages, each after those that it needs. A new one takes a line here, and is otherwise a module of its own.
_STAGES: tuple[Declaration, ...] = (
    stage3, gentoo_release, tree, overlays, tools, toolbox, linux, kernel, system, system_squashfs, modules_squashfs,
    identity_squashfs, ramfs, embedded, bundle,
)  # fmt: skip

# seconds
_LONGEST_WAIT = 1

_MOVING: tuple[Moving, ...] = (gentoo_release, tree, overlays, linux, bundle)


@dataclass(frozen=True)
class Plan:
    """The stages by name, each after those it needs."""

    stages: dict[str, Stage]

    def __getitem__(self, name: str) -> Stage:
        return self.stages[name]

    @property
    def trees(self) -> dict[str, Stage]:
        """The stages that fetch ebuild trees."""
        return {name: self.stages[name] for name in repositories.TREES if name in self.stages}


def sources(context: Context) -> list[Source]:
    """Returns what the configuration leaves open."""
    return [source for module in _MOVING if (source := module.source(context)) is not None]


def look(context: Context) -> Pins:
    """Looks up what the configuration leaves open, and keeps the answers in the cache for builds that ask nobody."""
    before = recall(context)
    seen = pins.look(context, sources(context), before)
    if seen != before:
        pins.write(context.cache, seen)
    if context.config.password:
        sitesecret.create(context.cache)
    return seen


def recall(context: Context) -> Pins:
    """Returns what the last build has looked up."""
    return pins.read(context.cache)


def create(context: Context, seen: Pins) -> Plan:
    """Makes the plan of a build from the pins that were looked up. Reads the repository, and starts nothing."""
    made: dict[str, Stage] = {}
    for module in _STAGES:
        stage = module.stage(context, seen, made)
        if stage is not None:
            made[stage.name] = _pinned(context, stage)
    _check_lock(context, made.values())
    return Plan(made)


def _pinned(context: Context, stage: Stage) -> Stage:
    """Returns the stage, pinned to the digest that the lock has for it."""
    locked = context.lock.get(stage.name) if stage.external else None
    return dataclasses.replace(stage, pinned=locked.digest) if locked else stage


def require_lockable(context: Context) -> None:
    """Raises UserError when no lock can pin what the configuration names."""
    if context.config.binhosts:
        raise UserError(
            f"binhosts: cannot be locked ({lockfile.NAME}): such a host may change its packages at any time",
            hint=f"build without binhosts, or without {lockfile.NAME}",
        )


def _check_lock(context: Context, stages: Iterable[Stage]) -> None:
    if context.lock:
        require_lockable(context)
        lockfile.check(context.root, context.lock, {stage.name: stage.inputs for stage in stages if stage.external})


def realize(context: Context, targets: Iterable[Stage]) -> None:
    """Builds the targets and those of their needs that are not fresh, in parallel where none needs the other.

    The first failure stops all others and is raised; so is Ctrl-C. Outputs that are complete by then stay.
    """
    wanted = list(targets)
    states: dict[str, State] = {
        stage.name: "fresh" if stage.fresh else "waiting" for stage in _with_needs(wanted).values()
    }
    # a stage waits in its own thread for those it needs: with fewer threads than stages, all of them could wait
    with context.log.build(states), ThreadPoolExecutor(max_workers=max(1, len(states))) as pool:
        work = _Work(context, pool)
        try:
            running = {work.begin(target) for target in wanted}
            while running:
                # Python handles a signal that comes just before a wait when the wait ends, so none may last
                done, running = futures.wait(running, timeout=_LONGEST_WAIT, return_when=futures.FIRST_EXCEPTION)
                for future in done:
                    future.result()
        except BaseException:
            context.runner.stop()
            raise
        if work.failure is not None:
            raise work.failure


def _with_needs(stages: Iterable[Stage]) -> dict[str, Stage]:
    """Returns the stages and their needs by name, each after those that it needs."""
    found: dict[str, Stage] = {}
    for stage in stages:
        found |= {**_with_needs(stage.needs.values()), stage.name: stage}
    return found


class _Work:
    """Starts each stage once, in a thread of its own that waits for the stages it needs."""

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
        if stage.key is None:
            # The content of a need decides the key: nobody can tell yet whether the stage is fresh. Most likely it is
            # not, so its other needs start meanwhile: the kernel compiles while the system is built.
            stale = [need for need in stage.needs.values() if not need.fresh]
            for need in stale:
                self.begin(need)
            self._all(need for need in stale if need.identity is None)
        fresh = stage.fresh
        if not fresh:
            self._all(stage.needs.values())
            if self.failure is not None:
                raise self.failure
        try:
            if fresh:
                stage.verify()
            else:
                self._make(stage)
        except BaseException as error:
            # stages in parallel to this one end too: the user would wait an hour for them
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
