"""Judge evidence: what a counter may grow by, what a state has to be, and which part is to blame.

A finding of FAIL names the part that a technician replaces or looks at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from alchemy_node.burnin.activity import Finding, Kind
from alchemy_node.burnin.parts import Parts
from alchemy_node.burnin.sample import Key, Sample, growth

# why a program that asks gave no answer, whatever it asks
_UNASKED = re.compile(r"out of memory|killed by signal|cannot be started")
# A display controller or accelerator slows its link down when it idles; only its width is judged.
_DYNAMIC_SPEED = re.compile(r"0x(?:03|12)")


@dataclass(frozen=True)
class Rule:
    """What the growth of a counter means.

    `limit` names the profile's limit, None for 0. `text` says what grew, {n} being by how much; `advice` what to do,
    {part} being the part.
    """

    kind: str
    counter: str
    verdict: str
    text: str
    advice: str = "replace {part}"
    limit: str | None = None
    hourly: bool = False
    meaning: Kind = Kind.FAIL


_KERNEL_LOG = "see the kernel's log for the CPU or the DIMM"
_RESEAT = "reseat {part}, then replace it"
_CABLE = "replace the cable or transceiver of {part}"
_BELOW = "reseat the card below {part}, then replace it"
_HOURLY = "pcie_corrected_per_hour"
_COOLING = "check the heat sink of {part}, the fans and the inlet temperature"

RULES: tuple[Rule, ...] = (
    Rule("dimm", "uncorrected", "dimm-ue", "{n} uncorrected memory errors"),
    Rule("dimm", "corrected", "dimm-ce", "{n} corrected memory errors", limit="memory_corrected"),
    Rule("board", "machine_checks", "machine-check", "{n} machine checks", _KERNEL_LOG, "machine_checks"),
    Rule("board", "machine_check_taint", "machine-check", "the kernel is tainted by a machine check", _KERNEL_LOG),
    Rule("board", "thresholds", "ce-threshold", "{n} threshold interrupts", _KERNEL_LOG, "machine_check_thresholds"),
    Rule("board", "deferred", "deferred-error", "{n} deferred errors", _KERNEL_LOG, "machine_check_thresholds"),
    Rule("board", "thermal_interrupts", "throttled", "{n} thermal interrupts", _COOLING, "throttling"),
    Rule("cpu", "throttled", "throttled", "throttled {n} times", _COOLING, "throttling"),
    Rule("pci", "fatal", "pcie-fatal", "{n} fatal PCIe errors", _RESEAT),
    Rule("pci", "nonfatal", "pcie-uncorrected", "{n} uncorrected PCIe errors", _RESEAT),
    Rule("pci", "correctable", "pcie-corrected", "{n} corrected PCIe errors", _RESEAT, _HOURLY, True),
    Rule("pci", "below_fatal", "pcie-fatal", "{n} fatal PCIe errors below it", _BELOW),
    Rule("pci", "below_nonfatal", "pcie-uncorrected", "{n} uncorrected PCIe errors below it", _BELOW),
    Rule("pci", "below_correctable", "pcie-corrected", "{n} corrected PCIe errors below it", _BELOW, _HOURLY, True),
    Rule("disk", "reallocated", "disk-reallocated", "{n} sectors reallocated", limit="disk_errors"),
    Rule("disk", "pending", "disk-pending", "{n} sectors wait to be reallocated", limit="disk_errors"),
    Rule("disk", "uncorrectable", "disk-uncorrectable", "{n} uncorrectable errors", limit="disk_errors"),
    Rule("disk", "offline_uncorrectable", "disk-uncorrectable", "{n} unreadable sectors", limit="disk_errors"),
    Rule("disk", "media_errors", "disk-media-errors", "{n} media errors", limit="disk_errors"),
    Rule("disk", "grown_defects", "disk-grown-defects", "{n} grown defects", limit="disk_errors"),
    Rule("disk", "read_uncorrected", "disk-uncorrectable", "{n} uncorrected read errors", limit="disk_errors"),
    Rule("disk", "write_uncorrected", "disk-uncorrectable", "{n} uncorrected write errors", limit="disk_errors"),
    Rule("disk", "link_errors", "disk-link-errors", "{n} CRC errors on its link", _RESEAT, "disk_link_errors"),
    Rule("disk", "error_log", "disk-error-log", "{n} entries in its error log", limit="disk_error_log"),
    # a drive also logs the commands that it does not know
    Rule("disk", "error_entries", "disk-error-log", "{n} entries in its log", "see {part}", meaning=Kind.WARNING),
    Rule("nic", "errors", "nic-errors", "{n} broken frames", _CABLE, "network_errors"),
    Rule("nic", "port_errors", "nic-errors", "{n} broken frames or symbols", _CABLE, "network_errors"),
    Rule("nic", "flaps", "link-flap", "its link went down {n} times", _CABLE, "link_flaps"),
    Rule("nic", "drops", "nic-drops", "{n} frames dropped", "see {part}", "network_drops", meaning=Kind.WARNING),
)


def judge(
    before: Sample, after: Sample, limits: Mapping[str, float], hours: float, parts: Parts
) -> Iterator[tuple[Finding, int]]:
    """Yields each finding between two samples, with a number that grows when it gets worse."""
    for key, grown in growth(before, after):
        for rule in RULES:
            if (rule.kind, rule.counter) == (key.kind, key.name):
                allowed = limits[rule.limit] if rule.limit else 0
                if grown > allowed * (max(hours, 1.0) if rule.hourly else 1.0):
                    yield _finding(rule, key, grown, hours, parts), grown
    for finding in (*_changes(before, after, parts), *_vanished(before, after, parts)):
        yield finding, 1


def _finding(rule: Rule, key: Key, grown: int, hours: float, parts: Parts) -> Finding:
    part = parts.dimm(key.part) if key.kind == "dimm" else parts.find(key.kind, key.part)
    text = rule.text.format(n=grown)
    return Finding(rule.meaning, rule.verdict, f"{rule.advice.format(part=part)}: {text} in {span(hours)}", part)


def span(hours: float) -> str:
    """Returns a duration as people say it."""
    seconds = round(hours * 3600)
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{hours:.1f} h"


def _changes(before: Sample, after: Sample, parts: Parts) -> Iterator[Finding]:
    """Yields the findings on a state that has changed for the worse."""
    for key, state in after.states.items():
        old = before.states.get(key)
        part = parts.find(key.kind, key.part)
        if old is None or old == state:
            continue
        if key.name == "link_width" or (key.name == "link_speed" and not _idles(after, key)):
            word = key.name.removeprefix("link_")
            message = f"reseat {part}, then replace it: the {word} of its link changed from {old} to {state}"
            yield Finding(Kind.FAIL, "link-changed", message, part)
        elif key.kind == "nic" and key.name == "speed":
            message = f"replace the cable or transceiver of {part}: its speed changed from {old} to {state} Mbit/s"
            yield Finding(Kind.FAIL, "nic-speed", message, part)
        elif key.kind == "nic" and state == "down":
            yield Finding(
                Kind.FAIL, "link-flap", f"reseat the cable or transceiver of {part}: its link went down", part
            )


def standing(sample: Sample, limits: Mapping[str, float], parts: Parts) -> Iterator[Finding]:
    """Yields the findings on one sample, whatever came before."""
    for key, state in sample.states.items():
        part = parts.find(key.kind, key.part)
        if key.name == "health" and state == "failed":
            yield Finding(Kind.FAIL, "disk-health", f"replace {part}: it says of itself that it fails", part)
        elif key.name == "critical_warning" and state != "0":
            yield Finding(Kind.FAIL, "disk-critical-warning", f"replace {part}: {warning(int(state))}", part)
        elif key.kind == "pci" and key.name in ("link_width", "link_speed"):
            now, _, most = state.partition(" of ")
            if float(now) < float(most) and not (key.name == "link_speed" and _idles(sample, key)):
                word = key.name.removeprefix("link_")
                unit = " GT/s" if word == "speed" else " lanes"
                message = f"reseat {part}, then replace it: the {word} of its link is {now} of {most}{unit}"
                yield Finding(Kind.FAIL, "link-degraded", message, part)
    for key, value in sample.counters.items():
        if key.name == "used_percent" and value > limits["disk_used_percent"]:
            part = parts.find("disk", key.part)
            yield Finding(Kind.WARNING, "disk-used", f"{part}: {value} % of its life is used: it is not new", part)


def warning(bits: int) -> str:
    """Returns what the bits of NVMe's critical warning say (NVM Express, SMART / Health Information log)."""
    words = (
        "its spare blocks run out",
        "it is too hot",
        "it is unreliable",
        "it is read-only",
        "its memory backup failed",
    )
    said = [word for bit, word in enumerate(words) if bits >> bit & 1]
    return ", ".join(said) or f"critical warning {bits:#x}"


def _idles(sample: Sample, key: Key) -> bool:
    return _DYNAMIC_SPEED.match(sample.states.get(Key("pci", key.part, "class"), "")) is not None


def _vanished(before: Sample, after: Sample, parts: Parts) -> Iterator[Finding]:
    """Yields the parts that the kernel no longer has."""
    for kind, name in sorted(before.parts() - after.parts()):
        unasked = kind == "bmc" and _UNASKED.match(after.missing.get("bmc", ""))
        if kind in ("pci", "disk", "nic", "bmc") and f"smart {name}" not in after.missing and not unasked:
            part = parts.find(kind, name)
            yield Finding(Kind.FAIL, "vanished", f"reseat {part}, then replace it: it vanished during the run", part)
