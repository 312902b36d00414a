"""Run the phases of a burn-in, watch the evidence all the while, and record the verdict.

The supervisor outlives its programs: a step that hangs, floods, is killed for memory or has a bug ends as ERROR, and
the run goes on. Only evidence and the judgement of a step's own program make a FAIL.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from alchemy_node.burnin import bmc, comparison, evidence, machine_check, port_counters, shortage, smart
from alchemy_node.burnin.activity import Activity, Finding, Kind, Measurement, Outcome
from alchemy_node.burnin.kernel_lines import KernelLines
from alchemy_node.burnin.loop import Loop, Task
from alchemy_node.burnin.ocp import Status, Type
from alchemy_node.burnin.parts import Part
from alchemy_node.burnin.plan import PlannedPhase, Step
from alchemy_node.burnin.profile import WATCHES, Profile
from alchemy_node.burnin.record import Record, SeriesWriter
from alchemy_node.burnin.resume import REBOOTING
from alchemy_node.burnin.sample import Key, Sample
from alchemy_node.burnin.steps.reboot import RebootError
from alchemy_node.burnin.topology import virtual
from alchemy_node.burnin.watch import Watch, belongs
from alchemy_node.machine import Machine

_TURN = 1.0
# what the kernel takes to tell of a machine check that it has found
_SETTLE = 0.5
# what a phase may take beyond its time before its steps are ended
_OVERTIME = 3.0
_OVERTIME_SECONDS = 600.0
# evidence that is asked for by programs is waited for no longer before the first step and after the last
_ASK_SECONDS = 300.0
_MOST_SERIES = 300


@dataclass
class Supervisor:
    """Runs a plan. `alive` is called at least every few seconds.

    `health` has the arguments with which smartctl asks each disk; `lost` are the parts that a reset cost. A run without
    phases watches for the time of its profile; `wanted` are the watches that it must not do without.
    """

    machine: Machine
    profile: Profile
    phases: tuple[PlannedPhase, ...]
    health: Mapping[str, tuple[str, ...]]
    watch: Watch
    lines: KernelLines
    record: Record
    loop: Loop
    alive: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    wanted: tuple[str, ...] = ()
    lost: tuple[Finding, ...] = ()
    reboot: str | None = None
    _stop: str | None = None
    _interval: int | None = None
    _tested: bool = False
    _began: float = 0.0
    _asked: Sample = field(default_factory=Sample)
    _asking: bool = False
    _next: float = 0.0
    _series: dict[Key, SeriesWriter] = field(default_factory=dict)
    _measured: dict[str, list[Measurement]] = field(default_factory=dict)
    _open: dict[str, set[Kind]] = field(default_factory=dict)
    _kills: dict[str, int] = field(default_factory=dict)

    def interrupt(self, why: str) -> None:
        """Has the run end soon. Safe in a signal handler."""
        self._stop = self._stop or why

    def run(self) -> None:
        """Runs all phases to the end of the run in the record.

        With `reboot` set after that, the run is left open for a reboot that its caller has to order.
        """
        try:
            self._run()
        except Exception as error:
            # a bug must not leave the run without an end
            self.record.error("bug", f"{type(error).__name__}: {error}")
            self.interrupt("a bug in the supervisor")
        if self.reboot is None:
            self._end()
        else:
            self.loop.stop("the machine is rebooted")
            self.record.log("INFO", f"{REBOOTING}{self.reboot}")

    def _run(self) -> None:
        self._interval = machine_check.poll(self.machine, max(1, self.profile.options.sample_seconds))
        self._began = self.clock()
        for name in WATCHES:
            self.record.step_start(name, f"{name} watch")
            self._open[name] = set()
        self._note(list(self.lost))
        asked = ["bmc", *(f"smart {name}" for name in self.health)]
        self._asked = Sample(missing=dict.fromkeys(asked, "timed out before its first answer"))
        self._settle()
        for phase in self.phases:
            if self._stop is None:
                self._phase(phase)
        while not self.phases and self._stop is None and self.clock() < self._began + self.profile.seconds:
            self._turn()
        if self._stop is None:
            self._restore()
            self._settle()

    def _restore(self) -> None:
        """Sets back how often machine checks are looked for, which has them looked for once more."""
        if self._interval is not None:
            machine_check.poll(self.machine, self._interval)
            self._interval = None

    def _phase(self, phase: PlannedPhase) -> None:
        # a run that goes on after a reset has some of them behind it
        ended = {step.id for step in self.record.run.steps.values() if step.status is not None}
        steps = [step for step in phase.steps if step.id not in ended]
        for step in steps:
            self._start(step)
        pending = {step.id: self._tasks(step) for step in steps if step.planned.skip is None}
        end = self.clock() + phase.seconds * _OVERTIME + _OVERTIME_SECONDS
        while any(pending.values()) and self._stop is None:
            if self.clock() >= end:
                self._overdue(pending)
                break
            self._turn()
            if self.reboot is not None:
                return
            self._close_ended(pending)
        if self._stop is not None:
            self.loop.stop(self._stop)
        self._close_ended(pending)
        # the sentinel: what the phase did is judged before the next one begins
        self._look()

    def _start(self, step: Step) -> None:
        self.record.step_start(step.id, step.name)
        self._open[step.id] = set()
        self._kills[step.id] = shortage.kills(self.machine)
        if step.planned.skip is not None:
            self.record.log("INFO", f"skipped: {step.planned.skip}", step.id)
            self._finish(step.id, "SKIP")
        else:
            self.record.log("INFO", step.planned.about, step.id)

    def _tasks(self, step: Step) -> list[Task]:
        tasks: list[Task] = []
        for activity in step.planned.activities:

            def done(result: Outcome | Exception) -> None:
                self._take(step.id, result)

            tasks.append(self.loop.add(step.id, activity(), done))
        return tasks

    def _close_ended(self, pending: dict[str, list[Task]]) -> None:
        for step, tasks in list(pending.items()):
            tasks[:] = [task for task in tasks if not task.over]
            if not tasks and step in self._open:
                self._conclude(step)

    def _overdue(self, pending: dict[str, list[Task]]) -> None:
        for step, tasks in pending.items():
            if tasks:
                self._say(step, Finding(Kind.ERROR, "overdue", "the step did not end in three times its time"))
        self.loop.stop("overdue", [task for tasks in pending.values() for task in tasks])

    def _take(self, step: str, result: Outcome | Exception) -> None:
        """Records what an activity ended with."""
        if isinstance(result, RebootError):
            self.reboot = str(result)
            self.interrupt(self.reboot)
            return
        if isinstance(result, Exception):
            self._say(step, Finding(Kind.ERROR, "bug", f"{type(result).__name__}: {result}"))
            return
        for measurement in result.measurements:
            part = self._listed(measurement.part)
            told = (measurement.name, measurement.value, measurement.unit, part, measurement.validators)
            self.record.measurement(step, *told)
        self._measured.setdefault(step, []).extend(result.measurements)
        starved = self._starved(step)
        for finding in result.findings:
            self._say(step, shortage.doubted(finding) if starved else finding)

    def _conclude(self, step: str) -> None:
        """Ends a step with its findings. One that proved nothing is in error."""
        kinds = self._open[step]
        starved = self._starved(step)
        limit = comparison.tolerance(
            self.profile.limits["slower_percent"], virtual=virtual(self.machine), seconds=self.profile.seconds
        )
        for finding in comparison.slow(self._measured.pop(step, []), limit):
            self._say(step, shortage.doubted(finding) if starved else finding)
        if Kind.ERROR in kinds or (self._stop is not None and Kind.FAIL not in kinds):
            self._finish(step, "ERROR")
        elif kinds & {Kind.PASS, Kind.FAIL}:
            self._finish(step, "COMPLETE")
        elif kinds == {Kind.SKIP}:
            self._finish(step, "SKIP")
        else:
            self.record.error("no-verdict", "the step ended without a verdict", step)
            self._finish(step, "ERROR")

    def _starved(self, step: str) -> bool:
        """Tells whether the kernel has killed a process for memory since a step began; that is its error, once."""
        before = self._kills[step]
        starved = before < 0 or shortage.kills(self.machine) > before
        if starved and before >= 0:
            self._kills[step] = -1
            message = "memory ran out while the step ran: it proves nothing"
            self._say(step, Finding(Kind.ERROR, shortage.VERDICT, message))
        return starved

    def _say(self, step: str, finding: Finding) -> None:
        """Records a finding in a step that is open."""
        self._open[step].add(finding.kind)
        part = self._listed(finding.part)
        if finding.kind in _TYPES:
            self.record.diagnosis(step, finding.verdict, _TYPES[finding.kind], finding.message, part)
        elif finding.kind is Kind.ERROR:
            self.record.error(finding.verdict, finding.message, step)
        else:
            self.record.log("WARNING" if finding.kind is Kind.WARNING else "INFO", finding.message, step)

    def _listed(self, part: Part | None) -> str | None:
        """Returns the id of a part; None for one that the run did not list at its start."""
        return part.id if part is not None and part.id in self.record.run.hardware else None

    def _finish(self, step: str, status: Status) -> None:
        self._tested |= status == "COMPLETE" and step not in WATCHES
        del self._open[step]
        self.record.step_end(step, status)

    # -- evidence

    def _turn(self) -> None:
        self.alive()
        self.loop.turn(_TURN)
        self._note(self.watch.hear(self.lines.read()))
        if self.clock() >= self._next:
            self._look()

    def _settle(self) -> None:
        """Waits for everything that is asked for by programs, and looks at it."""
        self.loop.turn(_SETTLE)
        self._ask()
        end = self.clock() + _ASK_SECONDS
        while self._asking and self.clock() < end and self._stop is None:
            self.alive()
            self.loop.turn(_TURN)
        self._look()

    def _look(self) -> None:
        """Samples, judges and records what can be read at once; asks for the rest."""
        sample = evidence.sample(self.machine) | self._asked
        hours = (self.clock() - self._began) / 3600
        self._note([*self.watch.hear(self.lines.read()), *self.watch.look(sample, hours)])
        for key, value in sample.readings.items():
            if key not in self._series and len(self._series) < _MOST_SERIES:
                name, _, unit = key.name.rpartition(" ")
                self._series[key] = self.record.series("kernel", f"{name} {key.kind} {key.part}".strip(), unit)
            if key in self._series:
                self._series[key].add(value)
        self._next = self.clock() + self.profile.options.sample_seconds
        self._ask()

    def _ask(self) -> None:
        if not self._asking and self._stop is None:
            self._asking = True
            self.loop.add("evidence", _asked(self.health, evidence.interfaces(self.machine)), self._answer)

    def _answer(self, result: Sample | Exception) -> None:
        self._asking = False
        if isinstance(result, Exception):
            self._say("kernel", Finding(Kind.ERROR, "bug", f"{type(result).__name__}: {result}"))
        else:
            self._asked = result

    def _note(self, findings: list[Finding]) -> None:
        if not findings:
            return
        steps = [step for step in self._open if step not in WATCHES]
        running = ", ".join(steps)
        starved = [step for step in steps if self._starved(step)]
        for original in findings:
            finding = shortage.excused(original, starved=bool(starved) or shortage.short(self.machine))
            message = f"{finding.message} (during {running})" if running else finding.message
            self._say(belongs(finding), Finding(finding.kind, finding.verdict, message, finding.part))

    # -- the end

    def _end(self) -> None:
        self._restore()
        self.loop.stop("the run ends")
        if self._stop is not None:
            self.record.error("interrupted", f"the run was interrupted: {self._stop}")
        self._note(list(self.watch.gaps()))
        if self.lines.missing is not None:
            self._say("kernel", Finding(Kind.UNKNOWN, "kernel-log-absent", self.lines.missing))
        if self.lines.lost:
            message = "lines of the kernel's log were overwritten before they were read: errors may have gone unseen"
            self._say("kernel", Finding(Kind.UNKNOWN, "kernel-log-lost", message))
        for step in [step for step in self._open if step not in WATCHES]:
            self._finish(step, "ERROR")
        if self.phases and not self._tested and self._stop is None:
            self.record.error("nothing-tested", "every step was skipped or in error: nothing was proven")
        for name in WATCHES:
            self._conclude_watch(name)
        self.record.run_end(*self.record.outcome())

    def _conclude_watch(self, name: str) -> None:
        seen = self._seen(name)
        kinds = self._open[name]
        if Kind.ERROR in kinds:
            self._finish(name, "ERROR")
        elif not seen and Kind.FAIL not in kinds:
            self.record.log("INFO", f"skipped: {self.watch.last.missing.get(_SOURCES[name], 'nothing to watch')}", name)
            if name in self.wanted:
                self.record.error("nothing-tested", f"there is nothing to watch for {name}: nothing was proven")
            self._finish(name, "SKIP")
        else:
            if Kind.FAIL not in kinds:
                self._say(name, Finding(Kind.PASS, f"{name}-quiet", f"{seen} values watched, none got worse"))
            self._finish(name, "COMPLETE")

    def _seen(self, name: str) -> int:
        """Returns how many values a watch compared."""
        last = self.watch.last
        if name == "bmc":
            return 0 if "bmc" in last.missing else 1 + len(last.entries)
        keys = [*last.counters, *last.states]
        return sum((key.kind == "pci") == (name == "pcie") for key in keys if key.kind != "bmc")


_TYPES: Mapping[Kind, Type] = {Kind.PASS: "PASS", Kind.FAIL: "FAIL", Kind.UNKNOWN: "UNKNOWN"}
_SOURCES = {"kernel": "edac", "pcie": "aer", "bmc": "bmc"}


def _asked(health: Mapping[str, tuple[str, ...]], interfaces: list[str]) -> Activity[Sample]:
    """Samples what only programs can tell."""
    disks = yield from smart.collect(health)
    ports = yield from port_counters.collect(interfaces)
    return disks | ports | (yield from bmc.collect())
