"""The logs of the stages, and which of them tells of the last failure."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from alchemy.context import Context
from alchemy.errors import UserError


def begin(context: Context) -> None:
    """Forgets the last failure: a new build begins."""
    _record(context).unlink(missing_ok=True)


def failed(context: Context, stage: str, error: BaseException) -> None:
    """Records that the build ended with this stage, whose log holds the error itself where no program wrote one."""
    record, log = _record(context), context.logfile(stage)
    # on a full disk this fails too, and what matters is the error that is on its way
    with suppress(OSError):
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(f"{stage}\n", encoding="ascii")
        if not log.exists():
            log.write_text(f"{error}\n", encoding="utf-8")


def find(context: Context, stage: str = "") -> Path:
    """Returns the log of a stage; without a name, that of the last failure. Raises UserError when there is no log."""
    if not stage:
        record = _record(context)
        if not record.exists():
            raise UserError("the last build did not fail", hint=_available(context))
        stage = record.read_text(encoding="ascii").strip()
    log = context.logfile(stage)
    # a name with a slash is never a stage
    if log.parent != _record(context).parent or not log.is_file():
        raise UserError(f"{stage}: no log", hint=_available(context))
    return log


def _available(context: Context) -> str:
    names = sorted(path.stem for path in _record(context).parent.glob("*.log"))
    return f"there are logs of {', '.join(names)}" if names else "nothing was built yet"


def _record(context: Context) -> Path:
    return context.logfile("any").with_name("failed")
