"""The context of a run, which every stage gets: paths, configuration, and the runner that starts programs."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from alchemy.config import lockfile
from alchemy.config import model as configuration
from alchemy.config.lockfile import Lock
from alchemy.config.model import Config
from alchemy.errors import UserError
from alchemy.run import Runner
from alchemy.ui import views
from alchemy.ui.events import Log

# The modification time of every file in the image (1 January 2026), unless SOURCE_DATE_EPOCH is set. Any fixed time
# works; the time of the last commit would rebuild everything at each commit. The stage3 and the packages always use
# this one, because builds with another SOURCE_DATE_EPOCH share them.
EPOCH = 1767225600


@dataclass(frozen=True)
class Context:
    """Holds what a run needs; passed as an argument, never global. `root` is the repository, `lock` its alchemy.lock.

    All paths are absolute.
    """

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
        """Returns the path of the log of a stage or step."""
        return self.work / "log" / f"{name}.log"


def _epoch() -> int:
    value = os.environ.get("SOURCE_DATE_EPOCH") or str(EPOCH)
    if not value.isascii() or not value.isdigit():
        raise UserError(f"SOURCE_DATE_EPOCH: invalid (expected seconds since 1970, got {value!r})")
    return int(value)


def _absolute(path: Path) -> Path:
    """Returns a path without `..` and with the links in its parents resolved. A link in the last place stays, for
    folders.py to refuse."""
    normal = Path(os.path.normpath(path))
    return normal.parent.resolve() / normal.name


def _warn_when_readable(file: Path, log: Log) -> None:
    """Warns when other users can read a file that holds a password."""
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        log.warn(f"{file}: mode {mode:04o} lets others read the password (expected 0600): chmod 0600 {file}")


def create(root: Path, version: str = "wip", *, offline: bool = False, events: bool = False) -> Context:
    """Returns the context of one run. `offline` overrides config.yml; `events` prints progress as JSON on stdout.

    Raises UserError for an invalid configuration or version.
    """
    config = configuration.load(root, os.environ)
    if offline:
        config = config.model_copy(update={"offline": True})
    work, cache = (_absolute(root / folder) for folder in (config.work_dir, config.cache_dir))
    if work.is_relative_to(cache) or cache.is_relative_to(work):
        raise UserError(f"work_dir, cache_dir: nested folders (expected separate ones, got {work} and {cache})")
    log = Log(views.choose(events=events))
    if config.password is not None:
        _warn_when_readable(configuration.file_of(root, os.environ), log)
    return Context(
        root=root,
        config=config,
        version=configuration.check_version(version),
        work=work,
        cache=cache,
        bin=root / "bin",
        epoch=_epoch(),
        log=log,
        runner=Runner(),
        lock=lockfile.load(root),
    )
