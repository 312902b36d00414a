"""Read disks from end to end, write and verify those that may be written, and have them test themselves.

fio's exit status says nothing about a disk: with --continue_on_error it is 0 whatever was read. Its JSON counts.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from alchemy_node.burnin import blank, smart
from alchemy_node.burnin.activity import Activity, Kind, Measurement, Outcome, Program, one, trouble
from alchemy_node.burnin.parts import Part
from alchemy_node.burnin.step import Disk, Planned, Setting
from alchemy_node.burnin.steps.cpu import GRACE, once
from alchemy_node.machine import Machine
from alchemy_node.processes import Output
from alchemy_node.text import printable

MIB = 1 << 20

# bytes a second that a disk reads or writes at least, to plan by: one that turns, one that does not
_ROTATING = 120 * MIB
_SOLID = 400 * MIB

_MEMORY = 384 * MIB
_LEAST = 16 * MIB
_POLL = 30.0

# errno of a verification that failed, in fio
_MISCOMPARE = errno.EILSEQ
# what the kernel says of a disk; any other errno is of fio's own doing
_BLAMES = frozenset(
    {
        *(errno.EIO, errno.ENXIO, errno.ENODEV, errno.EBADE, errno.ENODATA, errno.ENOLINK, errno.EPROTO),
        *(errno.EILSEQ, errno.ETIMEDOUT, errno.EREMOTEIO),
    }
)


def plan(setting: Setting) -> Planned:
    """Plans a test of each disk: reads it, or writes and verifies it where it may be written."""
    if not setting.disks:
        return Planned(skip="there are no disks")
    activities: list[Callable[[], Activity[Outcome]]] = []
    about: list[str] = []
    for disk in setting.disks:
        part = setting.parts.find("disk", disk.name)
        size = coverage(disk, setting.seconds, write=disk.name in setting.writable)
        share = "all" if size >= disk.size // MIB * MIB else f"{size // MIB} of {disk.size // MIB} MiB"
        group = disk.equals or None
        if disk.name in setting.writable:
            activities.append(partial(write, setting.machine, disk, part, size, setting.seconds))
            about.append(f"WRITES {share} of {disk.device} ({part})")
        else:
            activities.append(partial(read, disk, part, size, setting.seconds, group))
            about.append(f"reads {share} of {disk.device}")
        if setting.options.self_test != "none":
            poll = min(_POLL, max(1.0, setting.seconds / 20))
            kind = setting.options.self_test
            activities.append(partial(smart.self_test, disk.device, kind, part, setting.seconds, poll))
    return Planned(tuple(activities), "; ".join(about))


def coverage(disk: Disk, seconds: float, *, write: bool) -> int:
    """Returns how many bytes of a disk can be tested in that time. What is written is read back, too."""
    rate = _ROTATING if disk.rotational else _SOLID
    most = int(rate * seconds / (2 if write else 1)) // MIB * MIB
    return min(disk.size // MIB * MIB, max(most, _LEAST))


def read(disk: Disk, part: Part, size: int, seconds: float, group: str | None) -> Activity[Outcome]:
    """Reads a disk, from end to end where there is time, else in places all over it."""
    whole = size >= disk.size // MIB * MIB
    output = yield fio(disk, "read" if whole else "randread", size, seconds)
    return judge(f"reading {disk.device}", part, output, "read", group)


def write(machine: Machine, disk: Disk, part: Part, size: int, seconds: float) -> Activity[Outcome]:
    """Writes a disk and verifies it. Whether it may be written is asked once more, right before."""
    used = blank.in_use(machine, disk)
    if used is not None:
        return one(Kind.ERROR, "disk-in-use", f"{part}: not written, as {used}", part)
    output = yield fio(disk, "write", size, seconds / 2)
    written = judge(f"writing {disk.device}", part, output, "write", None)
    if any(finding.kind is Kind.ERROR for finding in written.findings):
        return written
    wrote = _bytes(output, "write")
    output = yield fio(disk, "verify", wrote, seconds / 2)
    verified = judge(f"verifying {disk.device}", part, output, "read", None)
    if _bytes(output, "read") < wrote and all(finding.kind is Kind.PASS for finding in verified.findings):
        verified = one(Kind.ERROR, "no-verdict", f"fio verified less of {disk.device} than it wrote", part)
    return once([written, verified])


def fio(disk: Disk, how: str, size: int, seconds: float) -> Program:
    """Returns the program that reads (`read`, `randread`), writes (`write`) or verifies (`verify`) a disk.

    A disk that is only read is opened with --readonly. One process with --thread: a fio that is killed leaves no job
    behind. `verify` reads what `write` wrote, and has to be told how much
    that was.
    """
    jobs = {
        "read": ("--readonly", "--rw=read", f"--runtime={max(1, round(seconds))}"),
        "randread": ("--readonly", "--rw=randread", "--time_based", f"--runtime={max(1, round(seconds))}"),
        "write": ("--rw=write", "--verify=crc32c", "--do_verify=0", f"--runtime={max(1, round(seconds))}"),
        "verify": ("--rw=write", "--verify=crc32c", "--verify_only=1"),
    }
    extent = () if how == "randread" else (f"--size={size}",)
    argv = (
        *("fio", "--name=burnin", f"--filename={disk.device.replace(':', chr(92) + ':')}", *jobs[how], *extent),
        *("--thread", "--bs=1M", "--direct=1", "--ioengine=libaio", "--iodepth=8", "--continue_on_error=all"),
        *("--verify_fatal=0", "--verify_state_save=0", "--output-format=json"),
    )
    # a disk that is slow ends late, and is found by its speed; one that does not end hangs
    return Program(argv, seconds * 4 + 2 * GRACE, memory=_MEMORY)


def judge(name: str, part: Part, output: Output, direction: str, group: str | None) -> Outcome:
    """Returns what a run of fio proves: its errors are counted, and that it moved any bytes at all."""
    job = _job(output)
    moved = _bytes(output, direction)
    if job is None:
        return trouble(f"fio {name}", output, part)
    errors = max(_number(job.get("total_err")), 1 if _number(job.get("error")) else 0)
    if errors:
        code = _number(job.get("first_error")) or _number(job.get("error"))
        if code not in _BLAMES:
            return trouble(f"fio {name}", output, part)
        said = printable(next((line for line in output.stderr.splitlines() if line.strip()), ""), 160)
        verdict = "disk-miscompare" if code == _MISCOMPARE else "disk-error"
        word = "other data than was written" if code == _MISCOMPARE else os.strerror(code)
        message = f"replace {part}: {name} gave {errors} errors, the first: {word}" + (f" ({said})" if said else "")
        return one(Kind.FAIL, verdict, message, part)
    if output.status != 0 or moved <= 0:
        return trouble(f"fio {name}", output, part)
    outcome = one(Kind.PASS, f"disk-{direction}", f"{name}: {moved // MIB} MiB without an error", part)
    rate = _number(job[direction].get("bw_bytes")) / MIB
    measured = Measurement(f"{name.split()[0]} speed", round(rate, 1), "MiB/s", part, group=group)
    return outcome + Outcome((), (measured,))


def _job(output: Output) -> dict[str, Any] | None:
    """Returns the only job in fio's JSON, which stands after whatever fio had to say first."""
    start = output.stdout.find("{\n")
    try:
        document = json.loads(output.stdout[start:]) if start >= 0 else None
    except (ValueError, RecursionError):
        return None
    jobs = document.get("jobs") if isinstance(document, dict) else None
    if not isinstance(jobs, list) or len(jobs) != 1 or not isinstance(jobs[0], dict):
        return None
    job: dict[str, Any] = jobs[0]
    sides = all(isinstance(job.get(direction), dict) for direction in ("read", "write"))
    return job if sides and isinstance(job.get("error"), int) else None


def _bytes(output: Output, direction: str) -> int:
    job = _job(output)
    return 0 if job is None else _number(job[direction].get("io_bytes"))


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
