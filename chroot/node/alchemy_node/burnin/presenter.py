"""Shows a run while it goes on: on consoles, in files for scripts, by the light of the chassis.

It works in threads of its own and reads the record only: a terminal, a disk or a BMC that hangs holds up nothing else.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from alchemy_node.burnin import breakin, findings, identify, status, terminal
from alchemy_node.burnin.model import Run
from alchemy_node.burnin.record import Record
from alchemy_node.burnin.render import replace
from alchemy_node.burnin.terminal import Terminal
from alchemy_node.machine import Machine

BREAKIN = "/var/run/breakin.dat"
# what agetty(8) shows before a login, so that a console that was cleared says it again
ISSUE = "/etc/issue.d/alchemy-burnin.issue"

_TICK = 2.0
# the last update is waited for no longer
_PATIENCE = 25.0


def own_terminal(environment: Mapping[str, str] = os.environ) -> dict[str, Terminal]:
    """Returns the terminal of a burn-in that a person started; plain lines where it is dumb or no terminal."""
    dumb = environment.get("TERM", "dumb") in {"", "dumb"}
    if not sys.stdout.isatty():
        return {"": Terminal(os.dup(sys.stdout.fileno()), dumb=True)}
    # opened once more, as the file of the shell has to stay one that blocks
    opened = Terminal.open(Path(os.ttyname(sys.stdout.fileno())), dumb=dumb)
    return {} if opened is None else {"": opened}


def every_console(machine: Machine, environment: Mapping[str, str] = os.environ) -> dict[str, Terminal]:
    """Returns the kernel's consoles, for a burn-in that the boot started."""
    dumb = environment.get("TERM") == "dumb"
    opened = {name: Terminal.open(machine.root / "dev" / name, dumb=dumb) for name in terminal.consoles(machine)}
    return {name: device for name, device in opened.items() if device is not None}


class Presenter:
    """Shows a record on terminals, in the files of `status`, and by the light, until it is left."""

    def __init__(
        self,
        record: Record,
        machine: Machine,
        terminals: Mapping[str, Terminal],
        *,
        tick: float = _TICK,
    ) -> None:
        """Shows nothing yet. A terminal with a name is left alone while someone is logged in on it."""
        self._record = record
        self._machine = machine
        self._terminals = terminals
        self._logins = terminal.Logins(machine)
        self._files: dict[str, str] = {}
        self._tick = tick
        self._leaving = threading.Event()
        work = (self._show_always, self._light_always)
        self._threads = [threading.Thread(target=target, name=target.__name__, daemon=True) for target in work]

    def __enter__(self) -> Self:
        """Begins to show."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Shows the end, and stops."""
        self._leaving.set()
        end = time.monotonic() + _PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        for device in self._terminals.values():
            device.close()

    def show(self) -> None:
        """Shows the run as it is now."""
        now = datetime.now(UTC)
        free = [device for name, device in self._terminals.items() if not self._busy(name, device)]

        def texts(run: Run) -> tuple[list[str], dict[str, str]]:
            files = {
                status.VERDICT: status.verdict_line(run),
                BREAKIN: breakin.text(run),
                ISSUE: status.issue(run),
            }
            return [device.text(run, now) for device in free], files

        # what may block comes after the look, which holds up the run
        shown, files = self._record.look(texts)
        for device, text in zip(free, shown, strict=True):
            device.write(text)
        for path, text in files.items():
            if self._files.get(path) != text:
                self._write(path, text)

    def _busy(self, name: str, device: Terminal) -> bool:
        busy = bool(name) and self._logins.busy(name)
        if busy:
            device.forget()
        return busy

    def _write(self, path: str, text: str) -> None:
        place = self._machine.root / path.lstrip("/")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            replace(place, text)
        except OSError:
            # tried again at the next look: a full disk may have room by then
            return
        self._files[path] = text

    def _show_always(self) -> None:
        while not self._leaving.wait(self._tick):
            self.show()
        self.show()

    def _light_always(self) -> None:
        told = False
        while True:
            last = self._leaving.is_set()
            word = self._record.look(findings.verdict)
            problem = identify.show(self._machine, word)
            if problem is not None and not told:
                told = True
                self._record.note("INFO", f"the identify light cannot be switched: {problem}")
            if last:
                return
            self._wait(word)

    def _wait(self, word: str) -> None:
        """Waits until the light has to be switched again: the verdict changed, or the BMC would turn it off."""
        end = time.monotonic() + identify.REFRESH
        while time.monotonic() < end and not self._leaving.wait(self._tick):
            if self._record.look(findings.verdict) != word:
                return
