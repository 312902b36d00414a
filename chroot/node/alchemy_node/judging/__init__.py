"""Judges a machine by itself: what should be alike is, and everything runs as fast as it can.

A rule is a function from the `alchemy` part of the inventory document to findings; it has none when all is well. What
cannot be judged is a finding, too: UNKNOWN, never silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alchemy_node.judging import bmc, dimms, drives, links, processors
from alchemy_node.judging.finding import Finding, Verdict
from alchemy_node.parts import Part

Rule = Callable[[Part], list[Finding]]

RULES: tuple[Rule, ...] = (
    processors.sockets_alike,
    processors.running,
    processors.one_microcode,
    dimms.alike,
    dimms.rated_speed,
    dimms.balanced,
    dimms.seen_by_the_kernel,
    links.full_speed,
    drives.healthy,
    drives.same_firmware,
    drives.same_size,
    drives.same_model,
    bmc.event_log,
)

_ORDER = {Verdict.FAIL: 0, Verdict.WARN: 1, Verdict.UNKNOWN: 2}


def judge(document: Mapping[str, Any]) -> list[Finding]:
    """Judges an inventory document (inventory/schema.json) by all rules: failures first, then in the order of rules."""
    found = [finding for rule in RULES for finding in rule(document["alchemy"])]
    return sorted(found, key=lambda finding: _ORDER[finding.verdict])
