"""The self-test: each fault leads to FAIL, and a check that was taken out is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from alchemy_node.burnin import kernel_lines, limits, rules, selftest
from alchemy_node.burnin.activity import Activity, Kind, Outcome, Pause, one
from alchemy_node.burnin.injections import NotInjectedError
from alchemy_node.burnin.loop import Loop
from alchemy_node.burnin.profile import STEPS, WATCHES
from alchemy_node.burnin.selftest import INJECTIONS, Injection, Proof
from alchemy_node.machine import Machine

pytestmark = pytest.mark.usefixtures("real_processes")

# those that need none of the tools
PLANTED = [injection for injection in INJECTIONS if injection.run.__class__.__name__ == "partial"]


@pytest.fixture(autouse=True)
def _unshielded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "groups", lambda *_: limits.NONE)
    monkeypatch.setattr(limits, "adjust", lambda *_: False)


def ends(outcome: Outcome) -> Callable[[Path], Activity[Outcome]]:
    def run(_: Path) -> Activity[Outcome]:
        yield Pause(0)
        return outcome

    return run


def cannot(_: Path) -> Activity[Outcome]:
    yield Pause(0)
    raise NotInjectedError("no such program")


def test_every_step_and_watch_has_a_fault() -> None:
    assert {injection.step for injection in INJECTIONS} == {*STEPS, *WATCHES} - {"reboot"}
    assert all(any(not i.optional for i in INJECTIONS if i.step == step) for step in {i.step for i in INJECTIONS})


@pytest.mark.parametrize("injection", PLANTED, ids=lambda injection: injection.fault)
def test_planted_evidence_fails_as_it_should(tmp_path: Path, injection: Injection) -> None:
    assert selftest.prove(Loop(Machine(tmp_path)), injection) == Proof(injection, None)


@pytest.mark.parametrize(
    "injection",
    [i for i in INJECTIONS if i.verdict in ("bmc-event", "disk-health", "self-test-failed")],
    ids=lambda i: i.fault,
)
def test_what_tools_print_fails_as_it_should(tmp_path: Path, injection: Injection) -> None:
    assert selftest.prove(Loop(Machine(tmp_path)), injection) == Proof(injection, None)


def test_a_line_in_the_kernels_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [injection] = [i for i in INJECTIONS if i.step == "kernel"]
    log = tmp_path / "kmsg"
    log.touch()
    monkeypatch.setattr(kernel_lines, "KMSG", log)
    monkeypatch.setattr(kernel_lines.KernelLines, "_log", lambda self: log.read_text(encoding="ascii").splitlines())
    original = kernel_lines.follow
    monkeypatch.setattr(kernel_lines, "follow", lambda: original(log, tmp_path))
    assert selftest.prove(Loop(Machine(tmp_path)), injection).problem is None


def test_a_rule_that_was_taken_out_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [injection] = [i for i in PLANTED if i.verdict == "dimm-ce"]
    monkeypatch.setattr(rules, "RULES", tuple(rule for rule in rules.RULES if rule.verdict != "dimm-ce"))
    proof = selftest.prove(Loop(Machine(tmp_path)), injection)
    assert proof.problem == "it did not fail with dimm-ce (nothing was found)"
    assert list(selftest.verdict([proof]))


FAILS = ends(one(Kind.FAIL, "broken", "replace it"))
PASSES = ends(one(Kind.PASS, "fine", "it is fine"))
OTHER = ends(one(Kind.FAIL, "other", "replace something else"))
ERRS = ends(one(Kind.ERROR, "no-verdict", "no idea"))


def injection(run: Callable[[Path], Activity[Outcome]], step: str = "cpu", *, optional: bool = False) -> Injection:
    return Injection(step, "a fault", "broken", run, optional)


@pytest.mark.parametrize(
    ("injections", "status", "last"),
    [
        ([injection(FAILS)], 0, "PASS: 1 faults were injected, and each step"),
        ([injection(FAILS), injection(FAILS, "memory")], 0, "PASS: 2 faults were injected, and each step"),
        ([injection(PASSES)], 3, "ERROR: cpu: it was never seen to fail"),
        ([injection(OTHER)], 3, "ERROR: cpu: it was never seen to fail"),
        ([injection(ERRS)], 3, "ERROR: cpu: it was never seen to fail"),
        ([injection(FAILS), injection(PASSES)], 3, "ERROR: cpu: a fault: it did not fail with broken (PASS fine: it"),
        ([injection(FAILS), injection(PASSES, "memory")], 3, "ERROR: memory: it was never seen to fail"),
        ([injection(FAILS), injection(cannot, optional=True)], 0, "PASS: 1 faults were injected"),
        ([injection(FAILS), injection(cannot)], 3, "ERROR: cpu: a fault: no such program"),
        ([injection(cannot, optional=True)], 3, "ERROR: cpu: it was never seen to fail"),
        ([injection(FAILS), injection(PASSES, optional=True)], 3, "ERROR: cpu: a fault: it did not fail"),
        ([], 3, "ERROR: no fault was injected: nothing was proven"),
    ],
)
def test_the_verdict_of_a_self_test(injections: list[Injection], status: int, last: str) -> None:
    said: list[str] = []
    assert selftest.main(injections, said.append) == status
    assert said[-1].startswith(last)


def test_a_bug_in_an_injection_is_an_error() -> None:
    def broken(_: Path) -> Activity[Outcome]:
        yield Pause(0)
        raise KeyError("x")

    said: list[str] = []
    assert selftest.main([injection(broken)], said.append) == 3
    assert said[0] == "cpu: a fault: ERROR, KeyError: 'x'"
