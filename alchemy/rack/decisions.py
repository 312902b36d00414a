"""Decides what a node boots. Nothing here reads a clock, a file or the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alchemy.rack.config import Profile, RackConfig, Rule

LOCAL = "local"
# A run is resumed this many times; a machine that resets more often needs a person.
MOST_RESUMES = 10
# The status that Collins last reported is fresh for this long, or for three polls if those take longer.
FRESH = timedelta(hours=1)

DEFAULTS: Sequence[Rule] = (
    Rule(unknown=True, profile="intake"),
    Rule(status="Incomplete", profile="intake"),
    Rule(status="New", profile="burnin"),
    Rule(status="Maintenance", state="HW_TESTING", profile="burnin"),
    Rule(status="Maintenance", profile="rescue"),
)


@dataclass(frozen=True)
class Ordered:
    """An operator's order that has not expired. `confirmed`: the operator gave the node's serial."""

    profile: str
    confirmed: bool = False


@dataclass(frozen=True)
class OpenRun:
    """An unfinished burn-in. `resumes` counts the boots that have resumed it."""

    profile: str
    resumes: int


@dataclass(frozen=True)
class Facts:
    """What is known about a node when it boots; the defaults describe a new machine.

    `inventoried`: it has a stored inventory. `answered`: when Collins last answered, about any asset. `since`: when
    `status` and `state` were first seen. `passed`: when its latest burn-in passed; None if that failed. `conflict`:
    why its keys do not belong to one node; empty if they do.
    """

    serial: str | None = None
    macs: tuple[str, ...] = ()
    vendor: str = ""
    model: str = ""
    port: str = ""
    inventoried: bool = False
    status: str = ""
    state: str = ""
    since: datetime | None = None
    answered: datetime | None = None
    order: Ordered | None = None
    run: OpenRun | None = None
    passed: datetime | None = None
    conflict: str = ""


@dataclass(frozen=True)
class Decision:
    """What a node boots and why. `jobs` run without a person; a run is expected if there are any."""

    profile: Profile
    reason: str
    jobs: tuple[str, ...] = ()

    @property
    def expected(self) -> bool:
        """Whether the node gets a token."""
        return bool(self.jobs)


def decide(config: RackConfig, facts: Facts, now: datetime) -> Decision:
    """Returns what a node boots: its order, else its open run, else the first matching rule, else `local`."""
    if facts.conflict:
        return _local(config, f"conflict: {facts.conflict}")
    if facts.order is not None:
        return _by_order(config, facts.order)
    if facts.run is not None:
        return _by_run(config, facts.run)
    return _by_rule(config, facts, now)


def _by_order(config: RackConfig, order: Ordered) -> Decision:
    profile = config.profiles.get(order.profile)
    if profile is None:
        return _local(config, f"order: unknown profile {order.profile}")
    if profile.destructive and not order.confirmed:
        return _local(config, f"order: {profile.name} is destructive and was not confirmed with the node's serial")
    return Decision(profile, "order of an operator", profile.jobs)


def _by_run(config: RackConfig, run: OpenRun) -> Decision:
    profile = config.profiles.get(run.profile)
    if profile is None:
        return _local(config, f"open run: unknown profile {run.profile}")
    if profile.destructive:
        return _local(config, f"open run: {profile.name} is destructive and needs another order")
    if run.resumes >= MOST_RESUMES:
        return _local(config, f"open run: already resumed {MOST_RESUMES} times")
    return Decision(profile, f"open run: resume {run.resumes + 1} of {MOST_RESUMES}", profile.jobs)


def _by_rule(config: RackConfig, facts: Facts, now: datetime) -> Decision:
    blind = _blindness(config, facts, now)
    for rule in DEFAULTS if config.decisions is None else config.decisions:
        if not _matches_node(rule, facts):
            continue
        if _needs_status(rule):
            if blind:
                return _local(config, blind)
            if not _matches_status(rule, facts):
                continue
        return _of_rule(config, rule, facts)
    return _local(config, f"no rule matches {_status(facts)}")


def _of_rule(config: RackConfig, rule: Rule, facts: Facts) -> Decision:
    profile = config.profiles.get(rule.profile)
    why = f"{_shown(rule)} -> {rule.profile}"
    if profile is None:
        return _local(config, f"{why}: unknown profile")
    if profile.destructive:
        return _local(config, f"{why}: {profile.name} is destructive and needs an order")
    if "burnin" not in profile.jobs or not _has_passed(facts):
        return Decision(profile, why, profile.jobs)
    # a rule that still matches must not repeat a passed burn-in at every boot
    if "intake" not in profile.jobs:
        return _local(config, f"{why}: burn-in has passed")
    return Decision(profile, why, tuple(job for job in profile.jobs if job != "burnin"))


def _has_passed(facts: Facts) -> bool:
    if facts.passed is None:
        return False
    # somebody has taken the node out of service since
    retest = facts.status == "Maintenance" and facts.since is not None and facts.since > facts.passed
    return not retest


def _blindness(config: RackConfig, facts: Facts, now: datetime) -> str:
    """Returns why no fresh status is available; empty if one is, or if there is no Collins."""
    if config.collins is None:
        return ""
    if facts.answered is None:
        return "Collins has not answered yet"
    # abs(): an answer from the future is stale too, because the clock was set back
    if abs(now - facts.answered) <= max(FRESH, 3 * timedelta(seconds=config.collins.poll)):
        return ""
    return f"Collins has not answered since {facts.answered:%Y-%m-%dT%H:%M:%SZ}"


def _matches_node(rule: Rule, facts: Facts) -> bool:
    wanted = (
        (rule.serial, (facts.serial or "",)),
        (rule.mac, facts.macs),
        (rule.model, (facts.model,)),
        (rule.vendor, (facts.vendor,)),
        (rule.port, (facts.port,)),
    )
    return all(text is None or _folded(text) in {_folded(value) for value in values} for text, values in wanted)


def _needs_status(rule: Rule) -> bool:
    # `unknown` needs the status too: Collins may know a machine that this rack has never seen
    return rule.status is not None or rule.state is not None or rule.unknown is not None


def _matches_status(rule: Rule, facts: Facts) -> bool:
    if rule.unknown is not None and rule.unknown != (not facts.inventoried and not facts.status):
        return False
    wanted = ((rule.status, facts.status), (rule.state, facts.state))
    return all(text is None or _folded(text) == _folded(value) for text, value in wanted)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _shown(rule: Rule) -> str:
    if rule.status is not None:
        words = [rule.status if rule.state is None else f"{rule.status}/{rule.state}"]
    else:
        words = [] if rule.state is None else [rule.state]
    if rule.unknown is not None:
        words.insert(0, "unknown" if rule.unknown else "known")
    named = (("serial", rule.serial), ("mac", rule.mac), ("model", rule.model), ("vendor", rule.vendor))
    words += [f"{name} {text}" for name, text in (*named, ("port", rule.port)) if text is not None]
    return ", ".join(words) or "any node"


def _status(facts: Facts) -> str:
    if facts.status:
        return f"{facts.status}/{facts.state}" if facts.state else facts.status
    return "a known node" if facts.inventoried else "an unknown node"


def _local(config: RackConfig, reason: str) -> Decision:
    return Decision(config.profiles[LOCAL], reason)
