"""Keep the burn-in from exhausting the machine: how much memory it may take, and what holds it to that.

Running out of memory is not a hardware fault. The supervisor must survive it, and tell it from one.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from alchemy_node.burnin.activity import Program
from alchemy_node.machine import Machine

MIB = 1 << 20

# Of /proc/PID/oom_score_adj (proc(5)): never killed; killed first.
NEVER = -1000
FIRST = 1000

# A shell that sets its own score, and becomes the program. The supervisor cannot lend a program the score: while it has
# it, the kernel kills the supervisor first.
_EXPENDABLE = f'echo {FIRST} >/proc/self/oom_score_adj && exec "$@"'

# What is left for the kernel, for the supervisor, and for the logs, which are in RAM, too.
_LEAST_RESERVE = 96 * MIB
_RESERVE_SHARE = 0.04


def budget(machine: Machine) -> int:
    """Returns the bytes that all programs of the burn-in may take together; 0 when that is unknown.

    That is what the kernel says is available, less a reserve of 4 % of RAM, of at least 96 MiB, but of no more than
    half of the available memory.
    """
    fields = re.findall(
        r"^(MemTotal|MemAvailable): +([0-9]{1,15}) kB$", machine.read("/proc/meminfo") or "", re.MULTILINE
    )
    sizes = {name: int(kilobytes) * 1024 for name, kilobytes in fields}
    total, available = sizes.get("MemTotal", 0), sizes.get("MemAvailable", 0)
    reserve = min(max(_LEAST_RESERVE, int(total * _RESERVE_SHARE)), available // 2)
    return (available - reserve) // MIB * MIB


def adjust(machine: Machine, score: int) -> bool:
    """Sets how readily the kernel kills this process, and those it starts from now on; returns whether it did."""
    return _write(machine.root / "proc/self/oom_score_adj", str(score))


@dataclass
class Groups:
    """The cgroups (version 2) of a run, below one of its own. Without cgroups programs are held by rlimits."""

    folder: Path | None
    home: Path | None
    controllers: frozenset[str]
    _count: int = field(default=0, repr=False)

    def create(self, program: Program) -> Group | None:
        """Creates the group of a program; None where there are no cgroups."""
        if self.folder is None or self.home is None:
            return None
        self._count += 1
        place = self.folder / str(self._count)
        try:
            place.mkdir()
        except OSError:
            return None
        group = Group(place, self.home)
        if program.memory is not None and "memory" in self.controllers:
            _write(place / "memory.max", str(program.memory))
            _write(place / "memory.swap.max", "0")
            # the group ends as a whole: half of a test proves nothing
            _write(place / "memory.oom.group", "1")
        if "cpuset" in self.controllers:
            if program.cpus is not None:
                _write(place / "cpuset.cpus", program.cpus)
            if program.nodes is not None:
                _write(place / "cpuset.mems", program.nodes)
        return group

    def close(self) -> None:
        """Removes the group of the run."""
        if self.folder is not None:
            with contextlib.suppress(OSError):
                self.folder.rmdir()


@dataclass(frozen=True)
class Group:
    """The cgroup of one program and of all that it starts."""

    place: Path
    home: Path

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Puts this process into the group, so that a program that it starts is in it from its first instruction."""
        inside = _write(self.place / "cgroup.procs", str(os.getpid()))
        try:
            yield
        finally:
            if inside:
                _write(self.home / "cgroup.procs", str(os.getpid()))

    def out_of_memory(self) -> bool:
        """Whether the kernel killed a process of the group because its memory was used up."""
        found = re.search(r"^oom_kill ([0-9]+)$", _read(self.place / "memory.events"), re.MULTILINE)
        return found is not None and int(found[1]) > 0

    def close(self) -> None:
        """Kills all that is left in the group, and removes it. What the kernel cannot kill is left."""
        members = _read(self.place / "cgroup.procs").split()
        if str(os.getpid()) in members:
            # this process could not leave the group: it must not kill itself
            return
        if not _write(self.place / "cgroup.kill", "1"):
            for pid in members:
                with contextlib.suppress(OSError, ValueError):
                    os.kill(int(pid), signal.SIGKILL)
        for _ in range(20):
            try:
                self.place.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.005)
            else:
                return


NONE = Groups(None, None, frozenset())


def groups(machine: Machine, name: str = "alchemy-burnin") -> Groups:
    """Creates the cgroup of a run where version 2 is mounted."""
    for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/run/alchemy/cgroup"):
        mount = machine.root / top.lstrip("/")
        if not (mount / "cgroup.controllers").is_file():
            continue
        controllers = set(_read(mount / "cgroup.controllers").split()) & {"memory", "cpuset"}
        found = re.search(r"^0::(/.*)$", machine.read("/proc/self/cgroup") or "", re.MULTILINE)
        home = mount / (found[1].lstrip("/") if found else "")
        folder = mount / name
        for controller in sorted(controllers):
            if not _write(mount / "cgroup.subtree_control", f"+{controller}"):
                controllers.discard(controller)
        try:
            folder.mkdir(exist_ok=True)
        except OSError:
            continue
        for stale in folder.glob("*/cgroup.procs"):
            # of a killed supervisor: its programs must not load the machine beside this run
            Group(stale.parent, home).close()
        for controller in sorted(controllers):
            if not _write(folder / "cgroup.subtree_control", f"+{controller}"):
                controllers.discard(controller)
        return Groups(folder, home, frozenset(controllers))
    return NONE


def wrapped(program: Program, groups: Groups) -> tuple[str, ...]:
    """Returns the argv that holds a program to its memory and CPUs where no cgroup does."""
    argv = program.argv
    if program.memory is not None and "memory" not in groups.controllers:
        argv = ("prlimit", f"--data={program.memory}", "--", *argv)
    if program.cpus is not None and "cpuset" not in groups.controllers:
        argv = ("taskset", "-c", program.cpus, *argv)
    return argv


def expendable(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the argv that has the kernel kill a program before any other, once memory runs out."""
    return ("sh", "-c", _EXPENDABLE, "sh", *argv)


def _write(path: Path, text: str) -> bool:
    """Writes a file that is there; returns whether that was done. None is created."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.write(descriptor, text.encode()) > 0
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
