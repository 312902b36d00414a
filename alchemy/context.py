"""What every stage is given: where things are, what was configured, and how to run programs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from alchemy import config as configuration
from alchemy.config import Config
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


def create(root: Path, version: str = "wip") -> Context:
    """The context of one run of Alchemy. Raises UserError for a bad configuration or version."""
    config = configuration.load(root, os.environ)
    return Context(
        root=root,
        config=config,
        version=configuration.check_version(version),
        work=(root / config.work_dir).resolve(),
        cache=(root / config.cache_dir).resolve(),
        bin=root / "bin",
        epoch=int(os.environ.get("SOURCE_DATE_EPOCH", _EPOCH)),
        log=Log(),
        runner=Runner(),
    )
