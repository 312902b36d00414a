"""How far a run is: what the screens and `status` say about time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alchemy_node.burnin.model import Run, Step
from alchemy_node.burnin.profile import WATCHES

# seconds; a record that was made up says more
_LONGEST = 1e9


@dataclass(frozen=True)
class Progress:
    """Seconds that a run has taken, and that it is to take; None where the record does not say.

    `done` of `steps` have ended, and `open` run. Steps that watch all the while do not count.
    """

    elapsed: float
    planned: float | None
    done: int
    steps: int
    open: tuple[Step, ...]

    @property
    def left(self) -> float | None:
        """The seconds that are left."""
        return None if self.planned is None else max(0.0, self.planned - self.elapsed)

    @property
    def share(self) -> float | None:
        """How much of the time is over, from 0 to 1."""
        return None if not self.planned else min(1.0, self.elapsed / self.planned)


def progress(run: Run, now: datetime) -> Progress:
    """Returns how far a run is; the time in which the machine was down does not count."""
    since = 0.0
    if run.status is None and run.latest is not None:
        since = max(0.0, (now - run.latest).total_seconds())
    planned = run.parameters.get("seconds")
    valid = isinstance(planned, int | float) and 0 < planned < _LONGEST
    names = run.parameters.get("steps")
    wanted = {name for name in names if isinstance(name, str)} - {*WATCHES} if isinstance(names, list) else set()
    counted = [step for step in run.steps.values() if step.id in wanted or not (wanted or step.id in WATCHES)]
    return Progress(
        run.active + since,
        float(planned) if valid and planned is not None else None,
        sum(step.status is not None for step in counted),
        max(len(wanted), len(counted)),
        tuple(step for step in counted if step.status is None),
    )


def clock(seconds: float | None) -> str:
    """Returns a duration as hours, minutes and seconds: `02:05:09`."""
    if seconds is None:
        return "--:--:--"
    whole = int(min(max(seconds, 0), 359_999_999))
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
