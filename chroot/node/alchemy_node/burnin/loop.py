"""Drives activities beside each other: starts their programs, holds them to their limits, and takes their output.

One thread does all of it. It waits for output and for time, so that it costs nothing while the machine is under load.
"""

from __future__ import annotations

import re
import selectors
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alchemy_node.burnin import limits, shortage
from alchemy_node.burnin.activity import OUT_OF_MEMORY, Activity, Pause, Program, T
from alchemy_node.machine import Machine
from alchemy_node.processes import MIB, NotStartedError, Output, Supervised, installed

# how long a program that is told to end may take, and one that is killed; one that waits in the kernel for a dead
# disk is left alone after that
_TERM_SECONDS = 5.0
_KILL_SECONDS = 5.0
# how long the pipes of a program that has ended are read: its children may hold them
_DRAIN_SECONDS = 1.0
# the end of a program is looked for this often
_POLL_SECONDS = 0.5

# what no tool prints that works
_MOST_OUTPUT = 64 * MIB

Result = Callable[[Any], None]


@dataclass
class _Running:
    """A program that runs. `problem` is why it is being ended; `kills` as of its start."""

    program: Program
    process: Supervised
    group: limits.Group | None
    end: float
    kills: int
    problem: str | None = None
    killed: bool = False
    drain: float | None = None


@dataclass(eq=False)
class Task:
    """An activity that is under way, with the program or the time that it waits for."""

    name: str
    activity: Activity[Any]
    done: Result
    running: _Running | None = None
    wake: float = 0.0
    count: int = 0
    over: bool = False


@dataclass
class Loop:
    """Drives tasks.

    `logs` is the folder that keeps what load programs printed. `shielded` says that the kernel never kills this
    process for memory; programs that it starts do not inherit that.
    """

    machine: Machine = field(default_factory=Machine)
    groups: limits.Groups = field(default_factory=lambda: limits.NONE)
    logs: Path | None = None
    shielded: bool = False
    clock: Callable[[], float] = time.monotonic
    _tasks: list[Task] = field(default_factory=list)
    # one for all of its life: a machine with hundreds of cores has as many programs, and twice as many pipes
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector, repr=False)

    def add(self, name: str, activity: Activity[T], done: Callable[[T | Exception], None]) -> Task:
        """Starts an activity; `done` is called once with its result, or with the exception that ended it."""
        task = Task(name, activity, done)
        self._tasks.append(task)
        self._advance(task, None)
        return task

    @property
    def busy(self) -> bool:
        """Whether any task is under way."""
        return bool(self._tasks)

    def turn(self, seconds: float) -> None:
        """Waits for at most `seconds`, and does what there is to do."""
        now = self.clock()
        waits = [now + seconds, *(task.wake for task in self._tasks if task.running is None)]
        if any(task.running for task in self._tasks):
            waits.append(now + _POLL_SECONDS)
        self._read(max(0.0, min(waits) - now))
        for task in list(self._tasks):
            self._look(task)

    def stop(self, problem: str, tasks: list[Task] | None = None) -> None:
        """Ends tasks (all of them with None): their programs get SIGTERM, then SIGKILL; `done` is not called."""
        ending = [task for task in self._tasks if tasks is None or task in tasks]
        for task in ending:
            if task.running is not None:
                self._terminate(task.running, problem)
        end = self.clock() + _TERM_SECONDS + _KILL_SECONDS
        while any(task.running for task in ending) and self.clock() < end:
            self._read(_POLL_SECONDS / 5)
            for task in ending:
                if task.running is not None and self._ended(task.running):
                    self._finish(task.running, task)
                    task.running = None
        for task in ending:
            if task.running is not None:
                self._finish(task.running, task)
            self._drop(task)
            task.activity.close()

    def _advance(self, task: Task, output: Output | None) -> None:
        """Has the activity go on until it waits for something, or ends."""
        while True:
            try:
                request = next(task.activity) if output is None else task.activity.send(output)
            except StopIteration as end:
                self._drop(task)
                task.done(end.value)
                return
            except Exception as error:
                self._drop(task)
                task.done(error)
                return
            if isinstance(request, Pause):
                task.wake = self.clock() + request.seconds
                return
            started = self._start(request, task)
            if isinstance(started, _Running):
                task.running = started
                return
            output = started

    def _start(self, program: Program, task: Task) -> _Running | Output:
        task.count += 1
        kills = shortage.kills(self.machine)
        group = self.groups.create(program) if program.load else None
        try:
            if not installed(program.argv[0]):
                raise NotStartedError("not installed")
            argv = limits.wrapped(program, self.groups if group is not None else limits.NONE)
            if self.shielded:
                argv = limits.expendable(argv)
            if group is None:
                process = Supervised(argv)
            else:
                with group.entered():
                    process = Supervised(argv)
        except NotStartedError as error:
            if group is not None:
                group.close()
            return shortage.marked(Output(problem=str(error)), killed=False)
        for pipe in process.pipes:
            self._selector.register(pipe, selectors.EVENT_READ, process)
        return _Running(program, process, group, self.clock() + program.seconds, kills)

    def _read(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            process: Supervised = key.data
            process.read(key.fd)
            if key.fd not in process.pipes:
                self._selector.unregister(key.fd)

    def _look(self, task: Task) -> None:
        """Advances a task whose program or pause is over."""
        if task.over:
            return
        running = task.running
        if running is None:
            if self.clock() >= task.wake:
                self._advance(task, Output(0))
        elif self._ended(running):
            output = self._finish(running, task)
            task.running = None
            self._advance(task, output)

    def _ended(self, running: _Running) -> bool:
        """Whether a program is over; one that exceeds its time is on its way to that."""
        now = self.clock()
        if running.process.ended():
            if not running.process.pipes:
                return True
            running.drain = running.drain or now + _DRAIN_SECONDS
            return now >= running.drain
        if running.process.taken > _MOST_OUTPUT and running.problem is None:
            self._terminate(running, f"more than {_MOST_OUTPUT // MIB} MiB of output")
        if now < running.end:
            return False
        if running.problem is None:
            self._terminate(running, f"timed out after {running.program.seconds:g} s")
        elif not running.killed:
            running.killed = True
            running.process.kill(signal.SIGKILL)
            running.end = now + _KILL_SECONDS
        else:
            running.problem += ", and cannot be killed"
            return True
        return False

    def _terminate(self, running: _Running, problem: str) -> None:
        running.problem = running.problem or problem
        running.process.kill(signal.SIGTERM)
        running.end = self.clock() + _TERM_SECONDS

    def _finish(self, running: _Running, task: Task) -> Output:
        problem = OUT_OF_MEMORY if running.group is not None and running.group.out_of_memory() else running.problem
        for pipe in running.process.pipes:
            self._selector.unregister(pipe)
        killed = shortage.kills(self.machine) > running.kills
        output = shortage.marked(running.process.finish(problem), killed=killed)
        if running.group is not None:
            running.group.close()
        if running.program.load and self.logs is not None:
            _keep(self.logs / f"{_safe(task.name)}-{task.count}.log", running.program, output)
        return output

    def _drop(self, task: Task) -> None:
        task.over = True
        if task in self._tasks:
            self._tasks.remove(task)


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:100]


def _keep(path: Path, program: Program, output: Output) -> None:
    """Writes what a program printed. A full disk is the record's to report."""
    text = f"$ {' '.join(program.argv)}\n{output.stdout}{output.stderr}[{output.problem or 'exit status 0'}]\n"
    try:
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError:
        path.unlink(missing_ok=True)
