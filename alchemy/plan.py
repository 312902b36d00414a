"""The plan: all stages of a build, what each needs, and carrying them out."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from alchemy import image, kernel, ramfs, rootfs, stage3, system
from alchemy.context import Context
from alchemy.stage import Stage


@dataclass(frozen=True)
class Plan:
    """The stages by name, each behind those it needs."""

    stages: dict[str, Stage]

    def __getitem__(self, name: str) -> Stage:
        return self.stages[name]


def create(context: Context) -> Plan:
    """The plan of a build. Reads the repository, and starts nothing."""
    base = stage3.stage(context)
    tools = stage3.tools_stage(context, base)
    source = kernel.source_stage(context)
    tree = system.stage(context, base)
    compiled = kernel.stage(context, source, tools)
    root = rootfs.stage(context, tree, tools)
    disk = ramfs.stage(context, tree, compiled, root, tools)
    files = image.stage(context, compiled, tree, disk, {"stage3": base, "linux": source})
    return Plan({stage.name: stage for stage in (base, tools, source, tree, compiled, root, disk, files)})


def realize(context: Context, targets: Iterable[Stage]) -> None:
    """Builds the targets and whatever of their needs is not fresh; what does not depend on each other side by side.

    The first failure stops all others and is raised; so does Ctrl-C. What was complete by then stays.
    """
    with ThreadPoolExecutor(max_workers=16) as pool:
        work = _Work(context, pool)
        futures = [work.begin(target) for target in targets]
        try:
            for future in futures:
                future.result()
        except BaseException:
            context.runner.stop()
            raise
        if work.failure is not None:
            raise work.failure


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
            self._context.logfile(stage.name).unlink(missing_ok=True)
            stage.make()
        except BaseException as error:
            # the other stage that runs beside this one has to end too, or the user waits for its hour
            with self._lock:
                first = self.failure is None
                self.failure = self.failure or error
            if first:
                self._context.runner.stop()
            raise self.failure from None

    def _all(self, needs: Iterable[Stage]) -> None:
        for future in [self.begin(need) for need in needs]:
            future.result()
