"""Prove that the burn-in can fail: inject a fault into each step by its own means, and demand FAIL of it.

Nothing is harmed: faults are injected into the memory of a program of ours, a disk in RAM, a tree of files in place of
/sys, and what a tool has printed. A step that does not fail, or whose fault could not be injected, proves nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from alchemy_node.burnin import injections, limits, planted
from alchemy_node.burnin.activity import Activity, Kind, Outcome
from alchemy_node.burnin.injections import NotInjectedError
from alchemy_node.burnin.loop import Loop
from alchemy_node.machine import Machine
from alchemy_node.status import Status
from alchemy_node.text import printable

_TURN = 0.2


@dataclass(frozen=True)
class Injection:
    """A fault: the step that it is for, its name, the verdict that it must lead to, and the activity that plants it.

    The activity raises NotInjectedError when this machine lacks what the fault needs, which is tolerated of one that
    is `optional`. `beside` runs beside it.
    """

    step: str
    fault: str
    verdict: str
    run: Callable[[Path], Activity[Outcome]]
    optional: bool = False
    beside: Callable[[], Activity[None]] | None = None


INJECTIONS: tuple[Injection, ...] = (
    Injection(
        "cpu", "a flipped byte in what stress-ng verifies", "cpu-miscalculates", injections.cpu, beside=injections.flip
    ),
    Injection("memory", "stressapptest's own error", "memory-miscompare", injections.memory),
    Injection("disks", "a flipped byte between writing and verifying", "disk-miscompare", injections.corrupted_disk),
    Injection("disks", "a sector that cannot be read", "disk-error", injections.unreadable_disk, optional=True),
    Injection("disks", "a self-test that failed", "self-test-failed", planted.disk_self_test),
    Injection("disks", "a disk that says it fails", "disk-health", planted.disk_health),
    *(Injection(step, fault, verdict, run) for step, fault, verdict, run in planted.counters()),
    Injection("bmc", "an entry in the event log", "bmc-event", planted.bmc_event),
    Injection("kernel", "a line in the kernel's log", "nic-hung", planted.kernel_line),
)


@dataclass(frozen=True)
class Proof:
    """What an injection led to: `problem` is None when it failed as it should."""

    injection: Injection
    problem: str | None
    injected: bool = True


def main(injections: Iterable[Injection] = INJECTIONS, say: Callable[[str], None] = print) -> int:
    """Runs every injection, says what each led to, and returns the exit status: 0 only if every step can fail."""
    machine = Machine()
    groups = limits.groups(machine, "alchemy-burnin-self-test")
    loop = Loop(machine, groups, shielded=limits.adjust(machine, limits.NEVER))
    proofs = []
    try:
        for injection in injections:
            proof = prove(loop, injection)
            proofs.append(proof)
            said = "fails, as it should" if proof.problem is None else f"ERROR, {proof.problem}"
            if not proof.injected and injection.optional:
                said = f"not injected, {proof.problem}"
            say(f"{injection.step}: {injection.fault}: {said}")
    finally:
        loop.stop("interrupted")
        groups.close()
    problems = list(verdict(proofs))
    for problem in problems:
        say(f"ERROR: {problem}")
    if not problems:
        seen = sum(proof.problem is None for proof in proofs)
        say(f"PASS: {seen} faults were injected, and each step fails as it should")
    return Status.ERROR if problems else Status.PASS


def prove(loop: Loop, injection: Injection) -> Proof:
    """Runs one injection."""
    results: list[Outcome | Exception] = []
    with tempfile.TemporaryDirectory(prefix="alchemy-self-test-", dir=_ram()) as folder:
        loop.add(injection.step, injection.run(Path(folder)), results.append)
        beside = [loop.add("flip", injection.beside(), lambda _: None)] if injection.beside is not None else []
        while not results:
            loop.turn(_TURN)
        loop.stop("the injection is over", beside)
    [result] = results
    if isinstance(result, NotInjectedError):
        return Proof(injection, printable(str(result)), injected=False)
    if isinstance(result, Exception):
        return Proof(injection, f"{type(result).__name__}: {result}")
    found = [finding.verdict for finding in result.findings if finding.kind is Kind.FAIL]
    if found == [injection.verdict]:
        return Proof(injection, None)
    said = "; ".join(f"{finding.kind.name} {finding.verdict}: {finding.message}" for finding in result.findings)
    return Proof(injection, f"it did not fail with {injection.verdict} ({said or 'nothing was found'})")


def verdict(proofs: Iterable[Proof]) -> Iterator[str]:
    """Yields why the burn-in cannot be trusted; nothing when every step was seen to fail."""
    proven: dict[str, bool] = {}
    for proof in proofs:
        step = proof.injection.step
        proven.setdefault(step, False)
        if proof.problem is None:
            proven[step] = True
        elif proof.injected or not proof.injection.optional:
            yield f"{step}: {proof.injection.fault}: {proof.problem}"
    if not proven:
        yield "no fault was injected: nothing was proven"
    for step, seen in proven.items():
        if not seen:
            yield f"{step}: it was never seen to fail"


def _ram() -> str | None:
    """Returns a folder that is in RAM, so that no disk is touched."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - the folder below it is our own
