"""alchemy-burnin: puts this machine under load, watches it for errors, and names the part to replace."""

from __future__ import annotations

import os
import resource
import shlex
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from alchemy_node import cmdline, processes, web
from alchemy_node.burnin import (
    claim,
    destination,
    hardware,
    limits,
    plan,
    presenter,
    resume,
    selection,
    selftest,
    shortage,
    status,
)
from alchemy_node.burnin import options as command_line
from alchemy_node.burnin.activity import Finding, Kind
from alchemy_node.burnin.attendance import Attendance
from alchemy_node.burnin.hardware import Machinery
from alchemy_node.burnin.kernel_lines import follow
from alchemy_node.burnin.loop import Loop
from alchemy_node.burnin.model import Run
from alchemy_node.burnin.options import Options
from alchemy_node.burnin.plan import PlannedPhase, Resources
from alchemy_node.burnin.profile import WATCHES, Phase, Profile, ProfileError
from alchemy_node.burnin.record import FILE, Record
from alchemy_node.burnin.selection import Selection, SelectionError
from alchemy_node.burnin.steps import reboot
from alchemy_node.burnin.supervisor import Supervisor
from alchemy_node.burnin.watch import Watch
from alchemy_node.inventory import document
from alchemy_node.machine import Machine
from alchemy_node.status import Status

_TOOLS = ("linpack", "iperf3")
_INTERRUPTS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# a phase that was under way at a reset runs for at least this share of its time again
_LEAST_SHARE = 0.1


@dataclass(frozen=True)
class _Order:
    """What is run, with what, and which parts a reset has cost."""

    options: Options
    profile: Profile
    machinery: Machinery
    resources: Resources
    phases: tuple[PlannedPhase, ...]
    lost: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class _Open:
    """A run under way: its record and folder, and whether the machine was reset in between."""

    record: Record
    folder: Path
    reset: bool = False


def main(arguments: Sequence[str]) -> int:
    """Runs alchemy-burnin, and returns its exit status."""
    try:
        return _main(arguments)
    except KeyboardInterrupt:
        # before the supervisor runs, or in a self-test: nothing was proven
        return Status.ERROR


def _main(arguments: Sequence[str]) -> int:
    if list(arguments[:1]) == ["status"]:
        return status.main(arguments[1:])
    options = command_line.parse(arguments)
    if os.geteuid() != 0:
        return _refuse(Status.USAGE, "needs root (sudo alchemy-burnin)")
    lock = claim.claim()
    if lock is None:
        return _refuse(Status.ERROR, "another burn-in is running (alchemy-burnin status)")
    try:
        return selftest.main() if options.self_test else _burn_in(Machine(), options)
    except (ProfileError, SelectionError) as error:
        return _refuse(Status.USAGE, str(error))
    except (web.WebError, OSError) as error:
        return _refuse(Status.ERROR, str(error))
    except Exception:
        # the status of a traceback is that of a machine that failed
        traceback.print_exc()
        return Status.ERROR
    finally:
        os.close(lock)


def _burn_in(machine: Machine, options: Options) -> int:
    found = destination.find(machine, status.FOLDER) if options.resume or options.boot else None
    if found is None:
        if options.resume and not options.boot:
            return _refuse(Status.USAGE, "--resume: no run without an end was found")
        return _new(machine, options)
    old = _Open(Record(found.path), found.path.parent, found.reset)
    try:
        return _go_on(machine, old, options)
    except (ProfileError, SystemExit) as error:
        # such as one whose URL is not reached any more: the run must not stay open for ever
        old.record.resume("the machine started again")
        old.record.abandon("cannot-go-on", str(error))
        return _refuse(Status.ERROR, str(error))


def _new(machine: Machine, options: Options) -> int:
    """Begins a run."""
    profile = command_line.choose(options, machine)
    found = document.collect(machine)
    machinery = hardware.completed(hardware.take(found), machine)
    chosen = selection.choose(machine, machinery.disks, options.disks)
    groups = limits.groups(machine)
    resources = _resources(machine, chosen, groups, 0)
    phases = plan.plan(profile, machine, machinery, resources)
    order = _Order(options, profile, machinery, resources, phases)
    _print(order, chosen)
    if options.plan:
        return Status.PASS
    if not options.boot and not selection.agreed(chosen):
        return _refuse(Status.USAGE, "nothing was run, and nothing was written")
    folder = status.FOLDER / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder.mkdir(parents=True, exist_ok=True)
    record = Record(folder / FILE)
    _begin(record, order, str(found["alchemy"].get("image", "unknown")))
    with _handlers_restored():
        return _supervise(machine, order, _Open(record, folder), options.boot, groups)


def _go_on(machine: Machine, old: _Open, given: Options) -> int:
    """Resumes an unfinished run; `given` are the options of this start. Raises ProfileError."""
    run = old.record.run
    stored = run.parameters.get("arguments")
    before = command_line.parse([str(word) for word in stored] if isinstance(stored, list) else [])
    options = command_line.again(before, given)
    profile, first = left(command_line.choose(options, machine), run)
    machinery = hardware.completed(hardware.take(document.collect(machine)), machine)
    lost = _lost(machine, run, machinery) if old.reset else ()
    chosen = _chosen_again(machine, machinery, options, run)
    groups = limits.groups(machine)
    done = sum(message.message.startswith(resume.REBOOTING) for message in run.messages)
    resources = _resources(machine, chosen, groups, done)
    phases = plan.plan(profile, machine, machinery, resources, first=first)
    order = _Order(options, profile, machinery, resources, phases, lost)
    _print(order, chosen)
    resume.go_on(old.record, machine, reset=old.reset)
    with _handlers_restored():
        return _supervise(machine, order, old, given.boot, groups)


def _lost(machine: Machine, run: Run, machinery: Machinery) -> tuple[Finding, ...]:
    """Returns the parts that a boot has lost; an inventory for which memory ran out proves no loss."""
    found = tuple(reboot.lost(run.hardware.values(), machinery.hardware))
    return tuple(replace(finding, kind=Kind.ERROR) for finding in found) if shortage.kills(machine) else found


def _chosen_again(machine: Machine, machinery: Machinery, options: Options, run: Run) -> Selection:
    """Chooses the disks that may be written, once more: one that is gone by now is not an error of the caller."""
    written = run.parameters.get("written")
    ours = frozenset(str(serial) for serial in written) if isinstance(written, list) else frozenset()
    there = {disk.serial for disk in machinery.disks}
    asked = options.disks
    if asked not in (selection.READ, selection.BLANK):
        asked = ",".join(serial for serial in asked.split(",") if serial in there) or selection.READ
    try:
        return selection.choose(machine, machinery.disks, asked, ours)
    except SelectionError as error:
        return Selection(reasons=(str(error),))


def _resources(machine: Machine, chosen: Selection, groups: limits.Groups, reboots: int) -> Resources:
    # no record but the rack service's outlives a reboot
    kept = reboots if cmdline.values(machine).get("rack_url") else None
    tools = frozenset(tool for tool in _TOOLS if processes.installed(tool))
    return Resources(limits.budget(machine), chosen.writable, "cpuset" in groups.controllers, tools, kept)


def _print(order: _Order, chosen: Selection) -> None:
    for line in (*plan.describe(order.profile, order.phases, order.machinery, order.resources), *chosen.reasons):
        print(line)
    sys.stdout.flush()


def _begin(record: Record, order: _Order, version: str) -> None:
    steps = [*WATCHES, *(step.id for phase in order.phases for step in phase.steps)]
    serials = [disk.serial for disk in order.machinery.disks if disk.name in order.resources.writable and disk.serial]
    record.run_start(
        version=version,
        command_line=shlex.join(["alchemy-burnin", *order.options.arguments]),
        parameters={
            "profile": order.profile.name,
            "seconds": order.profile.seconds,
            "steps": steps,
            "arguments": list(order.options.arguments),
            "written": serials,
            "limits": dict(order.profile.limits),
        },
        machine=order.machinery.name,
        hardware=order.machinery.hardware,
        software=order.machinery.software,
    )


@contextmanager
def _handlers_restored() -> Iterator[None]:
    """Restores the handlers of the signals that interrupt a run."""
    before = {number: signal.getsignal(number) for number in _INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _supervise(machine: Machine, order: _Order, run: _Open, boot: bool, groups: limits.Groups) -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65536)), hard))
    loop = Loop(machine, groups, run.folder, shielded=limits.adjust(machine, limits.NEVER))
    lines = follow()
    watch = Watch(order.machinery.parts, order.profile.limits, order.machinery.corrects)
    target = destination.choose(machine, run.record, run.folder, order.options.journal)
    terminals = presenter.every_console(machine) if boot else presenter.own_terminal()
    with Attendance(run.record, machine, run.folder, terminals, target) as attendance:
        supervisor = Supervisor(
            machine, order.profile, order.phases, order.machinery.health, watch, lines, run.record, loop,
            attendance.alive, wanted=tuple(name for name in order.options.only if name in WATCHES), lost=order.lost,
        )  # fmt: skip
        for number in _INTERRUPTS:
            signal.signal(number, lambda caught, _: supervisor.interrupt(signal.Signals(caught).name))
        try:
            supervisor.run()
        except Exception as error:
            # a bug of ours is never the hardware's, and never the end of the record
            traceback.print_exc()
            run.record.abandon("bug", f"{type(error).__name__}: {error}")
    lines.close()
    groups.close()
    run.record.close()
    if supervisor.reboot is not None:
        processes.run(["reboot"])
    return status.exit_status(run.record.run)


def left(profile: Profile, run: Run) -> tuple[Profile, int]:
    """Returns the rest of a profile after a reset, and the number of its first phase."""
    phases = list(zip(profile.phases, profile.durations(), strict=True))
    spent = run.active
    first = 1
    while phases and all(
        (step := run.steps.get(f"{first}-{name}")) is not None and step.status is not None
        for name in phases[0][0].steps
    ):
        spent = max(0.0, spent - phases.pop(0)[1])
        first += 1
    if not profile.phases:
        # a run that only watches
        return replace(profile, seconds=max(profile.seconds - run.active, profile.seconds * _LEAST_SHARE)), first
    if not phases:
        return replace(profile, seconds=0.0, phases=()), first
    (phase, whole), *later = phases
    rest = [(phase, max(whole - spent, whole * _LEAST_SHARE)), *later]
    total = sum(seconds for _, seconds in rest)
    return replace(profile, seconds=total, phases=tuple(Phase(seconds, phase.steps) for phase, seconds in rest)), first


def _refuse(code: Status, message: str) -> int:
    for line in message.splitlines():
        print(f"alchemy-burnin: {line}", file=sys.stderr)
    return code
