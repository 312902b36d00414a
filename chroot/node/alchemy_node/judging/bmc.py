"""The rule on the BMC."""

from __future__ import annotations

from alchemy_node.judging.finding import Finding, Verdict
from alchemy_node.parts import Part

_NEARLY = 90  # percent


def event_log(alchemy: Part) -> list[Finding]:
    """The BMC's event log has room: a full one loses what a burn-in finds."""
    rule = "event-log"
    if not alchemy.get("bmc"):
        return []
    log = alchemy["bmc"].get("sel")
    if not log or ("full" not in log and "used_percent" not in log):
        return [Finding(rule, Verdict.UNKNOWN, "BMC", "it does not say how full its event log is")]
    if log.get("full"):
        text = "its event log is full, new events are lost: save it (ipmitool sel elist), then ipmitool sel clear"
        return [Finding(rule, Verdict.WARN, "BMC", text)]
    if log.get("used_percent", 0) >= _NEARLY:
        text = f"its event log is {log['used_percent']} % full: save it (ipmitool sel elist), then ipmitool sel clear"
        return [Finding(rule, Verdict.WARN, "BMC", text)]
    return []
