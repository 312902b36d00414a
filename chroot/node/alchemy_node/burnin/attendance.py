"""Everything around a run but the run itself: who sees it, where its lines go, and what resets a machine that hangs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from alchemy_node.burnin import render, watchdog
from alchemy_node.burnin.journal import Journal, Target
from alchemy_node.burnin.presenter import Presenter
from alchemy_node.burnin.record import Record
from alchemy_node.burnin.terminal import Terminal
from alchemy_node.burnin.watchdog import Watchdog
from alchemy_node.machine import Machine

# how long the end of a run waits for a journal that is not taken
_PATIENCE = 60.0


class Attendance:
    """Attends a run from its start to its end:

        with Attendance(record, machine, folder, terminals, target) as attendance:
            while …:
                attendance.alive()
            record.run_end(*record.outcome())

    Trouble with any of it is a line in the record, and never the end of the run.
    """

    def __init__(
        self,
        record: Record,
        machine: Machine,
        folder: Path,
        terminals: Mapping[str, Terminal],
        target: Target | None = None,
    ) -> None:
        """Prepares. `folder` is where the reports go, `target` where the lines go."""
        self._record = record
        self._folder = folder
        self._device = machine.root / watchdog.DEVICE.lstrip("/")
        self._watchdog: Watchdog | None = None
        self._presenter = Presenter(record, machine, terminals)
        self._journal = (
            None if target is None else Journal(record.lines, target, lambda text: record.note("WARNING", text))
        )

    def __enter__(self) -> Self:
        """Begins to show and to send the run, and arms the watchdog."""
        self._presenter.__enter__()
        if self._journal is not None:
            self._journal.start()
        try:
            self._watchdog = Watchdog.arm(self._device)
        except OSError as error:
            self._record.note("INFO", f"the watchdog cannot be armed: {error.strerror}")
        else:
            seconds = None if self._watchdog is None else self._watchdog.seconds
            armed = "there is none" if seconds is None else f"armed, it resets the machine after {seconds} s"
            self._record.note("INFO", f"watchdog: {armed}")
        return self

    def alive(self) -> None:
        """Tells the watchdog that the supervisor works; to be called every few seconds."""
        if self._watchdog is not None:
            self._watchdog.pet()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disarms the watchdog, writes the reports, and has everybody told of the end."""
        if self._watchdog is not None:
            self._watchdog.disarm()
        try:
            render.write(self._record.run, self._folder)
        except OSError as failure:
            self._record.note("WARNING", f"the reports cannot be written: {failure.strerror}")
        self._presenter.__exit__(kind, error, trace)
        if self._journal is not None:
            self._journal.stop(_PATIENCE)
