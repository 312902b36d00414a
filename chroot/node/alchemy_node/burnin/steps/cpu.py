"""Load each core with calculations whose results are known, and compare the cores' speeds.

Every core has programs of its own, so that one that calculates wrongly is named. Sources of the formats: stress-ng(1)
for its exit status, the output of stress-ng 0.19, and that of OpenBLAS' linpack benchmark.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from functools import partial

from alchemy_node.burnin.activity import (
    Activity,
    Finding,
    Kind,
    Measurement,
    Outcome,
    Pause,
    Program,
    join,
    one,
    trouble,
)
from alchemy_node.burnin.parts import Part
from alchemy_node.burnin.step import Planned, Setting
from alchemy_node.burnin.topology import Core, cores, joined
from alchemy_node.processes import Output

# stressors that verify their results, and their shares of the time
LOADS: tuple[tuple[str, tuple[str, ...], float], ...] = (
    ("cpu", ("--cpu-method", "all"), 0.5),
    ("matrix", (), 0.2),
    ("vecmath", (), 0.15),
    ("fma", (), 0.15),
)
# the load whose speed is compared: one method, as `all` is another mix each time
_RATE = ("--cpu-method", "matrixprod")
_RATE_SECONDS = 30.0
_RATE_SHARE = 0.1

# stress-ng(1), exit status
_FAILED = 2
_NOT_IMPLEMENTED = 4
_UNTRUSTED = 7

# What it calls a failure, and no calculation is: the books of a worker that died, such as one killed for memory.
_BOOKS = re.compile(r"bogo-ops counter|run flag|checksum data|metrics[- ]check|out-of-memory|\berrno=")

# what a program may take beyond its time on a machine under full load
GRACE = 60.0

# A residual above this does not come from rounding: it is 1e-9 and less for the sizes that are run.
_RESIDUAL = 1e-6
_LINPACK_SHARE = 0.1
_MEMORY_A_CORE = 64 << 20


def plan(setting: Setting) -> Planned:
    """Plans a load for each core."""
    found = cores(setting.machine)
    if not found:
        return Planned(skip="the kernel does not say which CPUs are online")
    last = setting.seconds * _LINPACK_SHARE if "linpack" in setting.tools else 0.0
    activities: list[Callable[[], Activity[Outcome]]] = []
    packages: dict[str, list[int]] = {}
    for core in found:
        packages.setdefault(core.package, []).extend(core.cpus)
        part = setting.parts.find("cpu", core.package)
        activities.append(partial(load, core, part, setting.seconds - last, setting.alone))
    for package, cpus in packages.items() if last else ():
        part = setting.parts.find("cpu", package)
        memory = setting.memory // len(packages)
        activities.append(partial(linpack, joined(cpus), memory, part, setting.seconds - last, last))
    threads = sum(len(core.cpus) for core in found)
    return Planned(tuple(activities), f"{len(found)} cores, {threads} threads: calculates and verifies")


def load(core: Core, part: Part, seconds: float, compare: bool) -> Activity[Outcome]:
    """Loads one core for `seconds`."""
    name = f"core {core.number} of {part}"
    rate = min(_RATE_SECONDS, seconds * _RATE_SHARE)
    outcomes = []
    output = yield stress(core, "cpu", _RATE, rate)
    outcomes.append(judge(name, part, output, core.equals if compare else None))
    for stressor, options, share in LOADS:
        output = yield stress(core, stressor, options, (seconds - rate) * share)
        outcomes.append(judge(name, part, output, None))
    return once(outcomes)


def once(outcomes: Iterable[Outcome]) -> Outcome:
    """Returns the findings of several runs, each verdict on a part once; PASS only where nothing else was found."""
    whole = join(outcomes)
    found = {(finding.kind, finding.verdict, finding.part): finding for finding in reversed(whole.findings)}
    worse = [finding for finding in found.values() if finding.kind in (Kind.FAIL, Kind.ERROR)]
    kept = [finding for finding in found.values() if finding.kind is not Kind.PASS or not worse]
    return Outcome(tuple(kept), whole.measurements)


def stress(core: Core, stressor: str, options: tuple[str, ...], seconds: float) -> Program:
    """Returns the program that runs a stressor on each thread of a core."""
    whole = max(1, round(seconds))
    argv = (
        *("stress-ng", f"--{stressor}", str(len(core.cpus)), *options, "--verify", "--metrics"),
        *("--timeout", f"{whole}s", "--oomable", "--temp-path", "/tmp"),  # noqa: S108 - stress-ng makes its own folder there
    )
    return Program(argv, whole * 1.2 + GRACE, memory=_MEMORY_A_CORE * len(core.cpus), cpus=joined(core.cpus))


def judge(name: str, part: Part, output: Output, group: str | None) -> Outcome:
    """Returns what a run of stress-ng proves. Only exit status 2 blames the hardware."""
    text = output.stdout + output.stderr
    failed = re.findall(r"^stress-ng: fail:\s+\[\d+\] (.{1,200})", text, re.MULTILINE)
    wrong = [line for line in failed if not _BOOKS.search(line)]
    if output.status == _FAILED and (wrong or not failed):
        said = f' ("{wrong[0]}")' if wrong else ""
        return one(Kind.FAIL, "cpu-miscalculates", f"replace {part}: {name} calculated wrongly{said}", part)
    if output.status == _NOT_IMPLEMENTED:
        return one(Kind.NOTE, "cpu-load-absent", f"{name}: this CPU lacks what a load needs", part)
    passed = re.search(r"passed: ([0-9]{1,6})\b", text)
    if output.status not in (0, _UNTRUSTED) or passed is None or not int(passed[1]):
        return trouble(f"stress-ng on {name}", output, part)
    outcome = one(Kind.PASS, "cpu-load", f"{name} calculated rightly", part)
    rate = re.search(r"metrc: \[\d+\] cpu +[0-9]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ +([0-9.]{1,20}) ", text)
    if group is not None and rate is not None and output.status == 0:
        where = Part(name, part.serial, part.id)
        outcome += Outcome((), (Measurement("matrixprod", float(rate[1]), "ops/s", where, group=group),))
    return outcome


def linpack(cpus: str, memory: int, part: Part, wait: float, seconds: float) -> Activity[Outcome]:
    """Waits until the other loads are over, then solves a system of equations on a package."""
    yield Pause(wait)
    size = max(500, min(20000, math.isqrt(max(memory, 0) // 16)))
    output = yield Program(("linpack", str(size), str(size), "1"), seconds + GRACE, memory=memory, cpus=cpus)
    return judge_linpack(part, output)


def judge_linpack(part: Part, output: Output) -> Outcome:
    """Returns what a run of linpack proves: its lines are `SIZE : RESIDUAL  MFlops ...`."""
    lines = re.findall(
        r"^ *\d+ : +(\S+) +([0-9.]+) MFlops(?:.* ([0-9.]+) MFlops)?", output.stdout + output.stderr, re.M
    )
    findings: list[Finding] = []
    for residual, first, last in lines:
        value = _residual(residual)
        if not value <= _RESIDUAL:
            message = f"replace {part}: linpack's residual is {residual} (expected at most {_RESIDUAL:g})"
            return one(Kind.FAIL, "linpack-residual", message, part)
        findings.append(Finding(Kind.PASS, "linpack", f"{part}: residual {residual}, {last or first} MFlops", part))
    return Outcome(tuple(findings[:1])) if findings and output.status == 0 else trouble("linpack", output, part)


def _residual(text: str) -> float:
    try:
        return abs(float(text))
    except ValueError:
        return math.nan
