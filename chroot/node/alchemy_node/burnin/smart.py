"""Read what disks say of themselves: smartctl's JSON, for ATA, NVMe and SAS, and the self-tests they run.

Source of the format: the output of smartctl 7.4 with -j, and smartctl(8).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from alchemy_node.burnin.activity import Activity, Kind, Outcome, Pause, ask, one
from alchemy_node.burnin.parts import Part
from alchemy_node.burnin.sample import Key, Sample
from alchemy_node.text import printable

Json = Mapping[str, Any]

# Attributes of ATA whose raw value counts errors. 199 counts those of the cable or the backplane.
_ATTRIBUTES = {5: "reallocated", 187: "uncorrectable", 197: "pending", 198: "offline_uncorrectable", 199: "link_errors"}

# The status nibble of ATA's self-test log: 0 passed, 1 and 2 aborted, 3 to 8 failed, 15 in progress.
_ATA_RUNNING = 15
_ATA_FAILED = range(3, 9)
# Result of NVMe's self-test log: 0 passed; 5, 6 and 7 failed; the others say what ended it early.
_NVME_FAILED = (5, 6, 7)
# Result of SCSI's self-test log: 0 passed, 1 and 2 aborted, 3 to 7 failed, 15 in progress.
_SCSI_FAILED = range(3, 8)

# smartctl's exit status: bit 0 its command line, bit 1 the device did not open
_NO_ANSWER = 3


def parse(text: str) -> Json:
    """Returns smartctl's document; an empty one for other text."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def sample(disk: str, document: Json) -> Sample:
    """Returns the counters and states of a disk."""
    counters: dict[str, object] = {
        "error_log": _at(document, "ata_smart_error_log", "extended", "count"),
        "media_errors": _at(document, "nvme_smart_health_information_log", "media_errors"),
        "error_entries": _at(document, "nvme_smart_health_information_log", "num_err_log_entries"),
        "used_percent": _at(document, "nvme_smart_health_information_log", "percentage_used"),
        "grown_defects": _at(document, "scsi_grown_defect_list"),
        "read_uncorrected": _at(document, "scsi_error_counter_log", "read", "total_uncorrected_errors"),
        "write_uncorrected": _at(document, "scsi_error_counter_log", "write", "total_uncorrected_errors"),
    }
    if counters["error_log"] is None:
        counters["error_log"] = _at(document, "ata_smart_error_log", "summary", "count")
    table = _at(document, "ata_smart_attributes", "table")
    for attribute in table if isinstance(table, list) else ():
        name = _ATTRIBUTES.get(_whole(_at(attribute, "id")) or 0)
        if name is not None:
            counters[name] = _at(attribute, "raw", "value")
    states: dict[str, str] = {}
    passed = _at(document, "smart_status", "passed")
    if isinstance(passed, bool):
        states["health"] = "passed" if passed else "failed"
    warning = _whole(_at(document, "nvme_smart_health_information_log", "critical_warning"))
    if warning is not None:
        states["critical_warning"] = str(warning)
    degrees = _whole(_at(document, "temperature", "current"))
    readings = {} if degrees is None else {Key("sensor", f"disk {disk}", "temperature C"): float(degrees)}
    return Sample(
        {Key("disk", disk, name): n for name, value in counters.items() if (n := _whole(value)) is not None},
        {Key("disk", disk, name): value for name, value in states.items()},
        readings,
        missing={} if states else {f"smart {disk}": "gives no SMART health"},
    )


def collect(disks: Mapping[str, tuple[str, ...]]) -> Activity[Sample]:
    """Samples each disk; `disks` has the arguments that lead smartctl to it, such as -d megaraid,0 /dev/sda."""
    whole = Sample()
    for name, arguments in disks.items():
        output = yield ask("smartctl", "-x", "-j", *arguments, seconds=60)
        whole |= sample(name, parse(output.stdout))
        if output.status is None:
            whole |= Sample(missing={f"smart {name}": output.problem or "no answer"})
    return whole


def self_test(device: str, kind: str, part: Part, seconds: float, poll: float) -> Activity[Outcome]:
    """Has a disk test itself, and waits for at most `seconds`.

    FAIL is what the disk says, and nothing else: a test that did not start, was cut off or took too long is UNKNOWN,
    as healthy disks of several makers do that.
    """
    before = _log(parse((yield ask("smartctl", "-j", "-c", "-l", "selftest", device)).stdout))
    if before is None:
        return one(Kind.NOTE, "self-test-absent", f"{part}: has no self-tests", part)
    # one that an earlier phase has started goes on
    if not before[0]:
        started = yield ask("smartctl", "-j", "-t", kind, device)
        if started.status is None or started.status & _NO_ANSWER:
            said = started.problem or f"exit status {started.status}"
            return one(Kind.UNKNOWN, "self-test-not-started", f"{part}: the self-test did not start ({said})", part)
    waited = 0.0
    while waited < seconds:
        yield Pause(poll)
        waited += poll
        now = _log(parse((yield ask("smartctl", "-j", "-c", "-l", "selftest", device)).stdout))
        if now is not None and not now[0]:
            return _judge(now[1], kind, part)
    return one(Kind.UNKNOWN, "self-test-unfinished", f"{part}: the {kind} self-test takes longer than the run", part)


def _judge(result: str | None, kind: str, part: Part) -> Outcome:
    if result == "passed":
        return one(Kind.PASS, "self-test", f"{part}: passed its {kind} self-test", part)
    if result is not None and result.startswith("failed"):
        return one(Kind.FAIL, "self-test-failed", f"replace {part}: its {kind} self-test {result}", part)
    return one(Kind.UNKNOWN, "self-test-cut-off", f"{part}: its {kind} self-test gave no result ({result})", part)


def _log(document: Json) -> tuple[bool, str | None] | None:
    """Returns whether a self-test runs, and how the last one ended; None for a disk that has none."""
    for log in (_ata, _nvme, _scsi):
        found = log(document)
        if found is not None:
            return found
    return None


def _ata(document: Json) -> tuple[bool, str | None] | None:
    if _at(document, "ata_smart_data", "capabilities", "self_tests_supported") is not True:
        return None
    status = _whole(_at(document, "ata_smart_data", "self_test", "status", "value"))
    if status is None:
        return None
    nibble = status >> 4
    if nibble == 0:
        return False, "passed"
    said = _said(document, "ata_smart_data", "self_test", "status", "string")
    return nibble == _ATA_RUNNING, f"failed ({said})" if nibble in _ATA_FAILED else said


def _nvme(document: Json) -> tuple[bool, str | None] | None:
    current = _whole(_at(document, "nvme_self_test_log", "current_self_test_operation", "value"))
    if current is None:
        return None
    table = _at(document, "nvme_self_test_log", "table")
    last = table[0] if isinstance(table, list) and table else {}
    result = _whole(_at(last, "self_test_result", "value"))
    said = _said(last, "self_test_result", "string")
    return current != 0, _result(result, _NVME_FAILED, said)


def _scsi(document: Json) -> tuple[bool, str | None] | None:
    if _at(document, "device", "protocol") != "SCSI" or "scsi_self_test_0" not in document:
        return None
    result = _whole(_at(document, "scsi_self_test_0", "result", "value"))
    said = _said(document, "scsi_self_test_0", "result", "string")
    return result == _ATA_RUNNING, _result(result, _SCSI_FAILED, said)


def _result(value: int | None, failed: range | tuple[int, ...], said: str) -> str | None:
    if value == 0:
        return "passed"
    return f"failed ({said})" if value in failed else said


def _said(document: object, *path: str) -> str:
    return printable(str(_at(document, *path) or "it does not say why"))


def _at(document: object, *path: str) -> object:
    """Returns what a path of keys leads to; None where it leads nowhere."""
    for key in path:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64 else None
