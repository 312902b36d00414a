"""What every stage is given: where things are, what was configured, and how to run programs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from alchemy import config as configuration
from alchemy import lockfile, views
from alchemy.config import Config
from alchemy.errors import UserError
from alchemy.lockfile import Lock
from alchemy.log import Log
from alchemy.run import Runner

# Every file in the image has this time (1 January 2026), unless SOURCE_DATE_EPOCH says otherwise: any fixed time will
# do, and that of the last commit would rebuild everything with each commit. Stage3 and packages are always built with
# it, as they are kept for builds with other times.
EPOCH = 1767225600


@dataclass(frozen=True)
class Context:
    """Passed along, never global. `root` is the repository, `lock` its alchemy.lock; all paths are absolute."""

    root: Path
    config: Config
    version: str
    work: Path
    cache: Path
    bin: Path
    epoch: int
    log: Log
    runner: Runner
    lock: Lock = field(default_factory=dict)

    def logfile(self, name: str) -> Path:
        """Where the log of the stage or step `name` is."""
        return self.work / "log" / f"{name}.log"


def _epoch() -> int:
    value = os.environ.get("SOURCE_DATE_EPOCH") or str(EPOCH)
    if not value.isascii() or not value.isdigit():
        raise UserError(f"SOURCE_DATE_EPOCH: not a number of seconds: {value}")
    return int(value)


def create(root: Path, version: str = "wip", *, offline: bool = False, events: bool = False) -> Context:
    """The context of one run of Alchemy; `offline` as if config.yml said so, with what happens told as JSON `events` on
    stdout if asked for. Raises UserError for a bad configuration or version."""
    config = configuration.load(root, os.environ)
    if offline:
        config = config.model_copy(update={"offline": True})
    work, cache = ((root / folder).resolve() for folder in (config.work_dir, config.cache_dir))
    if work.is_relative_to(cache) or cache.is_relative_to(work):
        raise UserError(f"work_dir, cache_dir: {work} and {cache} must not be one in the other")
    return Context(
        root=root,
        config=config,
        version=configuration.check_version(version),
        work=work,
        cache=cache,
        bin=root / "bin",
        epoch=_epoch(),
        log=Log(views.choose(events=events)),
        runner=Runner(),
        lock=lockfile.load(root),
    )
