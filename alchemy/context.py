"""What every stage is given: where things are, what was configured, and how to run programs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from alchemy import config as configuration
from alchemy.config import Config
from alchemy.errors import UserError
from alchemy.log import Log
from alchemy.run import Runner

# Every file in the image has this time (1 January 2026), unless SOURCE_DATE_EPOCH says otherwise: any fixed time will
# do, and that of the last commit would rebuild everything with each commit.
_EPOCH = 1767225600


@dataclass(frozen=True)
class Context:
    """Passed along, never global. `root` is the repository; all paths are absolute."""

    root: Path
    config: Config
    version: str
    work: Path
    cache: Path
    bin: Path
    epoch: int
    log: Log
    runner: Runner

    def logfile(self, name: str) -> Path:
        """Where the log of the stage or step `name` is."""
        return self.work / "log" / f"{name}.log"


def _epoch() -> int:
    value = os.environ.get("SOURCE_DATE_EPOCH") or str(_EPOCH)
    if not value.isascii() or not value.isdigit():
        raise UserError(f"SOURCE_DATE_EPOCH: not a number of seconds: {value}")
    return int(value)


def create(root: Path, version: str = "wip") -> Context:
    """The context of one run of Alchemy. Raises UserError for a bad configuration or version."""
    config = configuration.load(root, os.environ)
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
        log=Log(),
        runner=Runner(),
    )
