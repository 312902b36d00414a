"""Which programs a node runs by itself, and with which arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from alchemy_node.web import is_url

JOBS = ("inventory", "intake", "burnin")

_NONE: Mapping[str, str] = MappingProxyType({})


class PlanError(ValueError):
    """What was asked for cannot be done; the message says why."""


@dataclass(frozen=True)
class Job:
    """One program and its arguments."""

    name: str
    argv: tuple[str, ...]


def make(
    parameters: Mapping[str, str],
    jobs: tuple[str, ...],
    said: Mapping[str, Any],
    expect_url: str,
    doubts: Mapping[str, str] = _NONE,
) -> list[Job]:
    """Returns the jobs in their order; each of the kernel's parameters counts before what the rack service said.

    `jobs` are those of job=, else the rack's; `said` is its `burnin` and `expect_url` its own. `doubts` are reasons to
    refuse a file, by the parameter that names it. Raises PlanError.
    """
    for name in jobs:
        if name not in JOBS:
            raise PlanError(f"unknown job {name!r} (expected {', '.join(JOBS)})")
    for name, user in (("expect_url", "inventory"), ("burnin_profile", "burnin")):
        if name in doubts and user in jobs:
            raise PlanError(f"{name}: refused: {doubts[name]}")
    makers = {
        "inventory": lambda: _inventory(parameters, expect_url),
        "intake": lambda: _intake(parameters),
        "burnin": lambda: _burnin(parameters, said),
    }
    return [makers[name]() for name in jobs]


def asked(parameters: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the names of job=; empty without it."""
    return tuple(name for name in parameters.get("job", "").split(",") if name)


def _inventory(parameters: Mapping[str, str], expect_url: str) -> Job:
    digest = _verifying(parameters, "expect_url", "expect_sha256")
    options = {"--expect": parameters.get("expect_url") or expect_url, "--expect-sha256": digest}
    return Job("inventory", ("alchemy-inventory", *_given(options)))


def _intake(parameters: Mapping[str, str]) -> Job:
    return Job("intake", ("alchemy-intake", *_given({"--rack": parameters.get("rack_url", "")})))


def _burnin(parameters: Mapping[str, str], said: Mapping[str, Any]) -> Job:
    options = {
        "--profile": parameters.get("burnin_profile") or _text(said, "profile"),
        "--profile-sha256": _verifying(parameters, "burnin_profile", "burnin_profile_sha256"),
        "--profile-key": _verifying(parameters, "burnin_profile", "burnin_profile_key"),
        "--disks": parameters.get("burnin_disks") or _text(said, "disks"),
    }
    return Job("burnin", ("alchemy-burnin", "--boot", *_given(options)))


def _verifying(parameters: Mapping[str, str], name: str, verifying: str) -> str:
    """Returns what verifies a file of the command line: a digest or a key. It verifies nothing that the rack names."""
    if parameters.get(verifying) and not is_url(parameters.get(name, "")):
        raise PlanError(f"{verifying}= without a URL in {name}=: there is nothing to verify")
    return parameters.get(verifying, "")


def _given(options: Mapping[str, str]) -> list[str]:
    # joined, so that no value is taken for an option
    return [f"{option}={value}" for option, value in options.items() if value]


def _text(said: Mapping[str, Any], key: str) -> str:
    value = said.get(key, "")
    return value if isinstance(value, str) else ""
