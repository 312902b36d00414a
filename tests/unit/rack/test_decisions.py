"""What a node boots, and why: a table of facts and decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alchemy.rack.config import Collins, Profile, RackConfig, Rule, builtin_profiles
from alchemy.rack.decisions import Facts, OpenRun, Ordered, decide

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOTH = ("inventory", "burnin")
ALL = ("inventory", "intake", "burnin")

WIPE = Profile(name="wipe", image="alchemy", jobs=("burnin",), destructive=True)
ALONE = RackConfig(profiles={**builtin_profiles("alchemy"), "wipe": WIPE})
COLLINS = ALONE.model_copy(
    update={"collins": Collins.model_construct(url="http://c", user="u", password_file=Path("p"), poll=60)}
)

UNKNOWN = Facts(serial="S1", macs=("52:54:00:00:00:01",))
KNOWN = replace(UNKNOWN, inventoried=True, vendor="Acme", model="R 640", port="leaf1 Eth1/7")
# Collins has just answered
HEARD = replace(KNOWN, answered=NOW - timedelta(minutes=1))


def heard(status: str, state: str = "", **facts: object) -> Facts:
    return replace(HEARD, status=status, state=state, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "profile", "jobs", "reason"),
    [
        (UNKNOWN, "intake", ALL, "unknown -> intake"),
        (KNOWN, "local", (), "no rule matches a known node"),
        (replace(UNKNOWN, status="Allocated"), "local", (), "no rule matches Allocated"),
    ],
)
def test_without_collins(facts: Facts, profile: str, jobs: tuple[str, ...], reason: str) -> None:
    decision = decide(ALONE, facts, NOW)
    assert (decision.profile.name, decision.jobs, decision.reason) == (profile, jobs, reason)
    assert decision.expected == bool(jobs)


@pytest.mark.parametrize(
    ("facts", "profile", "jobs", "reason"),
    [
        (replace(HEARD, inventoried=False), "intake", ALL, "unknown -> intake"),
        (heard("Incomplete"), "intake", ALL, "Incomplete -> intake"),
        (heard("incomplete"), "intake", ALL, "Incomplete -> intake"),
        (heard("New"), "burnin", BOTH, "New -> burnin"),
        (heard("New", passed=NOW), "local", (), "New -> burnin: burn-in has passed"),
        (heard("Incomplete", passed=NOW), "intake", ("inventory", "intake"), "Incomplete -> intake"),
        (heard("Maintenance", "HW_TESTING"), "burnin", BOTH, "Maintenance/HW_TESTING -> burnin"),
        (heard("Maintenance", "HARDWARE_PROBLEM"), "rescue", (), "Maintenance -> rescue"),
        (heard("Maintenance"), "rescue", (), "Maintenance -> rescue"),
        (heard("Allocated", "RUNNING"), "local", (), "no rule matches Allocated/RUNNING"),
        (heard("Decommissioned"), "local", (), "no rule matches Decommissioned"),
        # a machine in service that this rack sees for the first time
        (heard("Allocated", inventoried=False), "local", (), "no rule matches Allocated"),
        # taken out of service before it passed, and again after it
        (
            heard("Maintenance", "HW_TESTING", passed=NOW - HOUR, since=NOW - 2 * HOUR),
            "local",
            (),
            "Maintenance/HW_TESTING -> burnin: burn-in has passed",
        ),
        (
            heard("Maintenance", "HW_TESTING", passed=NOW - 2 * HOUR, since=NOW - HOUR),
            "burnin",
            BOTH,
            "Maintenance/HW_TESTING -> burnin",
        ),
    ],
)
def test_with_collins(facts: Facts, profile: str, jobs: tuple[str, ...], reason: str) -> None:
    decision = decide(COLLINS, facts, NOW)
    assert (decision.profile.name, decision.jobs, decision.reason) == (profile, jobs, reason)


@pytest.mark.parametrize(
    ("answered", "profile", "reason"),
    [
        (NOW - HOUR, "burnin", "New -> burnin"),
        (NOW - HOUR - timedelta(seconds=1), "local", "Collins has not answered since 2026-11-28T10:59:59Z"),
        (None, "local", "Collins has not answered yet"),
        # the clock was set back
        (NOW + 2 * HOUR, "local", "Collins has not answered since 2026-11-28T14:00:00Z"),
    ],
)
def test_the_last_answer_of_collins_counts_while_it_is_fresh(
    answered: datetime | None, profile: str, reason: str
) -> None:
    for facts in (heard("New", answered=answered), heard("New", answered=answered, inventoried=False)):
        decision = decide(COLLINS, facts, NOW)
        assert (decision.profile.name, decision.reason) == (profile, reason)


def test_a_rare_poll_keeps_an_answer_fresh_for_longer() -> None:
    assert COLLINS.collins is not None
    rare = COLLINS.model_copy(update={"collins": COLLINS.collins.model_copy(update={"poll": 3600})})
    assert decide(rare, heard("New", answered=NOW - 3 * HOUR), NOW).profile.name == "burnin"
    assert decide(rare, heard("New", answered=NOW - 4 * HOUR), NOW).profile.name == "local"


@pytest.mark.parametrize(
    ("facts", "profile", "reason"),
    [
        (replace(KNOWN, order=Ordered("rescue")), "rescue", "order of an operator"),
        (replace(KNOWN, order=Ordered("burnin"), passed=NOW), "burnin", "order of an operator"),
        (replace(KNOWN, order=Ordered("rescue"), run=OpenRun("burnin", 0)), "rescue", "order of an operator"),
        (replace(KNOWN, order=Ordered("wipe", confirmed=True)), "wipe", "order of an operator"),
        (
            replace(KNOWN, order=Ordered("wipe")),
            "local",
            "order: wipe is destructive and was not confirmed with the node's serial",
        ),
        (replace(KNOWN, order=Ordered("gone")), "local", "order: unknown profile gone"),
        (replace(KNOWN, run=OpenRun("burnin", 0)), "burnin", "open run: resume 1 of 10"),
        (replace(KNOWN, run=OpenRun("intake", 9)), "intake", "open run: resume 10 of 10"),
        (replace(KNOWN, run=OpenRun("burnin", 10)), "local", "open run: already resumed 10 times"),
        (replace(KNOWN, run=OpenRun("wipe", 0)), "local", "open run: wipe is destructive and needs another order"),
        (replace(KNOWN, run=OpenRun("gone", 0)), "local", "open run: unknown profile gone"),
        (
            replace(KNOWN, conflict="uuid U belongs to node 7", order=Ordered("burnin"), run=OpenRun("burnin", 0)),
            "local",
            "conflict: uuid U belongs to node 7",
        ),
    ],
)
def test_orders_runs_and_conflicts_come_before_the_rules(facts: Facts, profile: str, reason: str) -> None:
    # whether Collins answers or not
    for config in (ALONE, COLLINS):
        decision = decide(config, facts, NOW)
        assert (decision.profile.name, decision.reason) == (profile, reason)


@pytest.mark.parametrize(
    ("rule", "profile", "reason"),
    [
        (Rule(serial="s1", profile="rescue"), "rescue", "serial s1 -> rescue"),
        (Rule(serial="S2", profile="rescue"), "local", "no rule matches a known node"),
        (Rule(mac="52:54:00:00:00:01", profile="rescue"), "rescue", "mac 52:54:00:00:00:01 -> rescue"),
        (Rule(vendor="ACME", model="r 640", profile="rescue"), "rescue", "model r 640, vendor ACME -> rescue"),
        (Rule(vendor="Acme", model="R 650", profile="rescue"), "local", "no rule matches a known node"),
        (Rule(port="leaf1 Eth1/7", profile="burnin"), "burnin", "port leaf1 Eth1/7 -> burnin"),
        (Rule(unknown=False, profile="burnin"), "burnin", "known -> burnin"),
        (Rule(unknown=True, profile="burnin"), "local", "no rule matches a known node"),
        (Rule(state="RUNNING", profile="burnin"), "local", "no rule matches a known node"),
        (Rule(profile="rescue"), "rescue", "any node -> rescue"),
        (Rule(profile="gone"), "local", "any node -> gone: unknown profile"),
        # rack.yml refuses such a rule
        (Rule(profile="wipe"), "local", "any node -> wipe: wipe is destructive and needs an order"),
    ],
)
def test_rules(rule: Rule, profile: str, reason: str) -> None:
    decision = decide(ALONE.model_copy(update={"decisions": (rule,)}), KNOWN, NOW)
    assert (decision.profile.name, decision.reason) == (profile, reason)


def test_the_first_rule_that_matches_wins() -> None:
    rules = (Rule(serial="S2", profile="burnin"), Rule(model="R 640", profile="rescue"), Rule(profile="burnin"))
    assert decide(ALONE.model_copy(update={"decisions": rules}), KNOWN, NOW).profile.name == "rescue"


def test_a_rule_that_needs_no_status_counts_while_collins_is_down() -> None:
    named = Rule(serial="S1", profile="rescue")
    by_status = Rule(status="New", profile="burnin")
    for rules, profile in (((named, by_status), "rescue"), ((by_status, named), "local")):
        config = COLLINS.model_copy(update={"decisions": rules})
        assert decide(config, KNOWN, NOW).profile.name == profile


def test_no_rules_at_all_boot_the_local_disk() -> None:
    decision = decide(ALONE.model_copy(update={"decisions": ()}), UNKNOWN, NOW)
    assert (decision.profile.name, decision.reason) == ("local", "no rule matches an unknown node")
