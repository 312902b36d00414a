"""Evidence before and after: the verdict, and the part to replace."""

from __future__ import annotations

import pytest

from alchemy_node.burnin import comparison, profile, rules
from alchemy_node.burnin.activity import Kind, Measurement
from alchemy_node.burnin.parts import Part, Parts
from alchemy_node.burnin.sample import Key, Sample

DIMM = Part("DIMM A1", "D1", "dimm-a1")
DISK = Part("disk sda in bay 3", "S1", "disk-sda")
NIC = Part("NIC eth0", "52:54:00:00:00:01", "nic-eth0")
CARD = Part("PCI device 0000:01:00.0 in slot 2", None, "pci-1")
PARTS = Parts(
    {
        ("dimm", "A1"): DIMM,
        ("dimm", "B1"): Part("DIMM B1", "D2", "dimm-b1"),
        ("disk", "sda"): DISK,
        ("nic", "eth0"): NIC,
        ("pci", "0000:01:00.0"): CARD,
        ("cpu", "0"): Part("CPU 1", None, "cpu-0"),
    }
)


def verdicts(before: Sample, after: Sample, hours: float = 0.5) -> list[tuple[str, str, Part | None]]:
    found = [finding for finding, _ in rules.judge(before, after, profile.LIMITS, hours, PARTS)]
    return [(finding.kind.name, finding.verdict, finding.part) for finding in found]


COUNTERS = [
    (Key("dimm", "A1", "corrected"), 1, "FAIL", "dimm-ce", DIMM),
    (Key("dimm", "CPU1 A1", "corrected"), 3, "FAIL", "dimm-ce", DIMM),
    (Key("dimm", "mc0/dimm0", "corrected"), 3, "FAIL", "dimm-ce", Part("DIMM mc0/dimm0")),
    (Key("dimm", "A1", "uncorrected"), 1, "FAIL", "dimm-ue", DIMM),
    (Key("board", "", "machine_checks"), 1, "FAIL", "machine-check", Part("mainboard")),
    (Key("board", "", "machine_check_taint"), 1, "FAIL", "machine-check", Part("mainboard")),
    (Key("board", "", "thresholds"), 1, "FAIL", "ce-threshold", Part("mainboard")),
    (Key("board", "", "deferred"), 1, "FAIL", "deferred-error", Part("mainboard")),
    (Key("cpu", "0", "throttled"), 1, "FAIL", "throttled", Part("CPU 1", None, "cpu-0")),
    (Key("pci", "0000:01:00.0", "fatal"), 1, "FAIL", "pcie-fatal", CARD),
    (Key("pci", "0000:01:00.0", "nonfatal"), 1, "FAIL", "pcie-uncorrected", CARD),
    (Key("pci", "0000:01:00.0", "correctable"), 11, "FAIL", "pcie-corrected", CARD),
    (Key("pci", "0000:01:00.0", "below_fatal"), 1, "FAIL", "pcie-fatal", CARD),
    (Key("pci", "0000:01:00.0", "below_nonfatal"), 1, "FAIL", "pcie-uncorrected", CARD),
    (Key("pci", "0000:01:00.0", "below_correctable"), 11, "FAIL", "pcie-corrected", CARD),
    (Key("board", "", "thermal_interrupts"), 1, "FAIL", "throttled", Part("mainboard")),
    (Key("nic", "eth0", "port_errors"), 1, "FAIL", "nic-errors", NIC),
    (Key("disk", "sda", "reallocated"), 1, "FAIL", "disk-reallocated", DISK),
    (Key("disk", "sda", "pending"), 1, "FAIL", "disk-pending", DISK),
    (Key("disk", "sda", "uncorrectable"), 1, "FAIL", "disk-uncorrectable", DISK),
    (Key("disk", "sda", "offline_uncorrectable"), 1, "FAIL", "disk-uncorrectable", DISK),
    (Key("disk", "sda", "media_errors"), 1, "FAIL", "disk-media-errors", DISK),
    (Key("disk", "sda", "grown_defects"), 1, "FAIL", "disk-grown-defects", DISK),
    (Key("disk", "sda", "read_uncorrected"), 1, "FAIL", "disk-uncorrectable", DISK),
    (Key("disk", "sda", "write_uncorrected"), 1, "FAIL", "disk-uncorrectable", DISK),
    (Key("disk", "sda", "link_errors"), 1, "FAIL", "disk-link-errors", DISK),
    (Key("disk", "sda", "error_log"), 1, "FAIL", "disk-error-log", DISK),
    (Key("disk", "sda", "error_entries"), 1, "WARNING", "disk-error-log", DISK),
    (Key("nic", "eth0", "errors"), 1, "FAIL", "nic-errors", NIC),
    (Key("nic", "eth0", "flaps"), 1, "FAIL", "link-flap", NIC),
    (Key("nic", "eth0", "drops"), 1001, "WARNING", "nic-drops", NIC),
]


@pytest.mark.parametrize(("key", "by", "kind", "verdict", "part"), COUNTERS)
def test_a_counter_that_grows(key: Key, by: int, kind: str, verdict: str, part: Part) -> None:
    # an error from before the run is not a finding
    assert verdicts(Sample({key: 7}), Sample({key: 7})) == []
    assert verdicts(Sample({key: 7}), Sample({key: 7 + by})) == [(kind, verdict, part)]
    # the driver was reset in between, or the counter appeared: what it says now is new
    assert verdicts(Sample({key: 2000}), Sample({key: by})) == [(kind, verdict, part)]
    assert verdicts(Sample(), Sample({key: by})) == [(kind, verdict, part)]


def test_every_rule_is_in_the_table_above() -> None:
    covered = {(key.kind, key.name) for key, *_ in COUNTERS}
    assert covered == {(rule.kind, rule.counter) for rule in rules.RULES}
    assert {rule.limit for rule in rules.RULES if rule.limit} <= set(profile.LIMITS)


def test_limits_tolerate_what_they_say_and_no_more() -> None:
    key = Key("dimm", "A1", "corrected")
    limits = {**profile.LIMITS, "memory_corrected": 2}
    assert list(rules.judge(Sample({key: 5}), Sample({key: 7}), limits, 1, PARTS)) == []
    [(finding, badness)] = rules.judge(Sample({key: 5}), Sample({key: 8}), limits, 0.5, PARTS)
    assert finding.message == "replace DIMM A1, serial D1: 3 corrected memory errors in 30 min"
    assert badness == 3


@pytest.mark.parametrize(
    ("hours", "errors", "fails"), [(0.1, 10, False), (0.1, 11, True), (5, 50, False), (5, 51, True)]
)
def test_a_limit_per_hour(hours: float, errors: int, fails: bool) -> None:
    key = Key("pci", "0000:01:00.0", "correctable")
    assert bool(verdicts(Sample({key: 0}), Sample({key: errors}), hours)) == fails


@pytest.mark.parametrize(
    ("key", "old", "new", "expected"),
    [
        (Key("pci", "0000:01:00.0", "link_width"), "8 of 8", "4 of 8", [("FAIL", "link-changed", CARD)]),
        (Key("pci", "0000:01:00.0", "link_speed"), "16 of 16", "8 of 16", [("FAIL", "link-changed", CARD)]),
        (Key("nic", "eth0", "speed"), "25000", "10000", [("FAIL", "nic-speed", NIC)]),
        (Key("nic", "eth0", "link"), "up", "down", [("FAIL", "link-flap", NIC)]),
        (Key("nic", "eth0", "link"), "down", "up", []),
        (Key("disk", "sda", "health"), "passed", "passed", []),
    ],
)
def test_a_state_that_changes(key: Key, old: str, new: str, expected: list[tuple[str, str, Part]]) -> None:
    assert verdicts(Sample(states={key: old}), Sample(states={key: new})) == expected


def test_an_idle_gpu_may_slow_its_link_but_not_narrow_it() -> None:
    def link(speed: str, width: str) -> Sample:
        states = {"class": "0x030200", "link_speed": f"{speed} of 32", "link_width": f"{width} of 16"}
        return Sample(states={Key("pci", "0000:01:00.0", name): state for name, state in states.items()})

    assert verdicts(link("32", "16"), link("2.5", "16")) == []
    assert list(rules.standing(link("2.5", "16"), profile.LIMITS, PARTS)) == []
    assert verdicts(link("32", "16"), link("32", "8")) == [("FAIL", "link-changed", CARD)]
    assert [finding.verdict for finding in rules.standing(link("32", "8"), profile.LIMITS, PARTS)] == ["link-degraded"]


@pytest.mark.parametrize(
    ("key", "state", "kind", "message"),
    [
        (Key("disk", "sda", "health"), "failed", "FAIL", "replace disk sda in bay 3, serial S1: it says of itself"),
        (
            Key("disk", "sda", "critical_warning"),
            "5",
            "FAIL",
            "replace disk sda in bay 3, serial S1: its spare blocks run",
        ),
        (
            Key("disk", "sda", "critical_warning"),
            "64",
            "FAIL",
            "replace disk sda in bay 3, serial S1: critical warning 0x40",
        ),
        (Key("pci", "0000:01:00.0", "link_width"), "4 of 8", "FAIL", "reseat PCI device 0000:01:00.0 in slot 2, then"),
        (
            Key("pci", "0000:01:00.0", "link_speed"),
            "2.5 of 8",
            "FAIL",
            "reseat PCI device 0000:01:00.0 in slot 2, then",
        ),
    ],
)
def test_a_state_that_is_wrong_from_the_start(key: Key, state: str, kind: str, message: str) -> None:
    [finding] = rules.standing(Sample(states={key: state}), profile.LIMITS, PARTS)
    assert finding.kind.name == kind
    assert finding.message.startswith(message)


@pytest.mark.parametrize(
    ("key", "state"),
    [
        (Key("disk", "sda", "health"), "passed"),
        (Key("disk", "sda", "critical_warning"), "0"),
        (Key("pci", "0000:01:00.0", "link_width"), "8 of 8"),
    ],
)
def test_a_state_that_is_right(key: Key, state: str) -> None:
    assert list(rules.standing(Sample(states={key: state}), profile.LIMITS, PARTS)) == []


def test_a_disk_that_is_not_new_is_a_warning() -> None:
    used = Sample({Key("disk", "sda", "used_percent"): 2})
    assert [finding.kind for finding in rules.standing(used, profile.LIMITS, PARTS)] == [Kind.WARNING]


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("pci", "0000:01:00.0", [("FAIL", "vanished", CARD)]),
        ("disk", "sda", [("FAIL", "vanished", DISK)]),
        ("nic", "eth0", [("FAIL", "vanished", NIC)]),
        ("bmc", "", [("FAIL", "vanished", Part("BMC"))]),
        ("dimm", "A1", []),
    ],
)
def test_a_part_that_vanishes(kind: str, name: str, expected: list[tuple[str, str, Part]]) -> None:
    before = Sample(states={Key(kind, name, "x"): "1", Key(kind, "other", "x"): "1"})
    assert verdicts(before, Sample(states={Key(kind, "other", "x"): "1"})) == expected


def test_a_disk_that_gives_no_answer_has_not_vanished() -> None:
    before = Sample({Key("disk", "sda", "pending"): 0})
    assert verdicts(before, Sample(missing={"smart sda": "timed out after 60 s"})) == []


@pytest.mark.parametrize(("hours", "text"), [(0.01, "36 s"), (0.5, "30 min"), (24, "24.0 h")])
def test_spans(hours: float, text: str) -> None:
    assert rules.span(hours) == text


def measured(*values: float, group: str | None = "core") -> list[Measurement]:
    return [
        Measurement("rate", value, "ops/s", Part(f"core {number}"), group=group) for number, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("values", "slow"),
    [
        ([100, 100, 100, 100], []),
        ([100, 100, 91, 100], []),
        ([100, 100, 89, 100], [("FAIL", "core 2")]),
        ([100, 0, 100, 10], [("FAIL", "core 1"), ("FAIL", "core 3")]),
        ([100, 80], [("UNKNOWN", "core 1")]),
        ([100], []),
        ([], []),
        ([100, 100, float("nan")], []),
    ],
)
def test_what_is_slower_than_its_equals(values: list[float], slow: list[tuple[str, str]]) -> None:
    found = [(finding.kind.name, str(finding.part)) for finding in comparison.slow(measured(*values), 10)]
    assert found == slow


@pytest.mark.parametrize(
    ("limit", "virtual", "seconds", "percent"),
    [(10, False, 7200, 10), (10, True, 7200, 40), (10, False, 18, 40), (60, True, 18, 60)],
)
def test_what_may_be_slower_for_other_reasons(limit: float, virtual: bool, seconds: float, percent: float) -> None:
    assert comparison.tolerance(limit, virtual=virtual, seconds=seconds) == percent


def test_only_equals_are_compared() -> None:
    assert (
        list(comparison.slow([*measured(100, 100, 100), *measured(1, group="other"), *measured(1, group=None)], 10))
        == []
    )
