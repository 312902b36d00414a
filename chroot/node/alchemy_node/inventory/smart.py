"""What smartctl says of a drive: its identity, and its health in one form for ATA, SCSI and NVMe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alchemy_node.inventory.facts import Json, at, count_at, items, parse, present, text_at
from alchemy_node.machine import Machine

_SECONDS = 8.0

# Bits of smartctl's exit status that mean that it read nothing: command line, open, command failed.
_UNREAD = 0b11

_CRITICAL = (
    "spare below threshold",
    "temperature out of range",
    "reliability degraded",
    "read-only",
    "volatile memory backup failed",
    "persistent memory region read-only",
)
# ATA attributes by number, as nearly all makers use them.
_REALLOCATED, _UNCORRECTED, _PENDING, _CRC = 5, 187, 197, 199


@dataclass(frozen=True)
class Drive:
    """A drive's identity and health as schema.json has them; `problem` says why there is none."""

    identity: Json
    health: Json
    problem: str | None = None


def read(machine: Machine, device: str, kind: Sequence[str] = ()) -> Drive:
    """Asks smartctl for a drive; `kind` is ("-d", TYPE) for one behind a controller."""
    output = machine.run(["smartctl", "-x", "-j", *kind, device], _SECONDS)
    document = parse(output.stdout)
    if output.status is None or output.status & _UNREAD or not isinstance(document, dict):
        return Drive({}, {}, _said(document) or output.problem or "no JSON")
    return Drive(_identity(document), _health(document))


def _said(document: Any) -> str | None:
    """The first error message of smartctl's own."""
    return next((text for entry in items(document, "smartctl", "messages") if (text := text_at(entry, "string"))), None)


def _identity(document: Json) -> Json:
    # SCSI's model_name has the vendor in front
    product = text_at(document, "scsi_product") or text_at(document, "product")
    model = product or text_at(document, "model_name") or text_at(document, "scsi_model_name")
    firmware = (
        text_at(document, "firmware_version") or text_at(document, "revision") or text_at(document, "scsi_revision")
    )
    rotation = count_at(document, "rotation_rate")
    return present(
        model=model,
        vendor=text_at(document, "vendor") or text_at(document, "scsi_vendor"),
        serial=text_at(document, "serial_number"),
        wwn=_wwn(document),
        firmware=firmware,
        size=count_at(document, "user_capacity", "bytes") or count_at(document, "nvme_total_capacity"),
        rotational=None if rotation is None else rotation > 0,
        transport=_transport(document),
    )


def _wwn(document: Json) -> str | None:
    """A name of 64 bits, as the kernel writes it: 4 bits of format, 24 of the maker, 36 of its own."""
    naa, oui, own = (count_at(document, "wwn", name) for name in ("naa", "oui", "id"))
    if naa is not None and oui is not None and own is not None:
        return f"0x{naa & 0xF:x}{oui & 0xFFFFFF:06x}{own & 0xFFFFFFFFF:09x}"
    return text_at(document, "logical_unit_id")


def _transport(document: Json) -> str | None:
    protocol = text_at(document, "device", "protocol")
    if protocol == "SCSI":
        name = text_at(document, "scsi_transport_protocol", "name") or ""
        return "sas" if name.startswith("SAS") else "scsi"
    return {"ATA": "sata", "NVMe": "nvme"}.get(protocol or "")


def _health(document: Json) -> Json:
    nvme = at(document, "nvme_smart_health_information_log")
    attributes = {count_at(entry, "id"): entry for entry in items(document, "ata_smart_attributes", "table")}
    temperature = at(document, "temperature", "current")
    passed = at(document, "smart_status", "passed")
    # RAID volumes and some SCSI drives that have no sensor say 0
    known = isinstance(temperature, int) and not isinstance(temperature, bool) and temperature != 0
    return present(
        passed=passed if isinstance(passed, bool) else None,
        failing=[*_critical(nvme), *_below(attributes.values())] or None,
        temperature=temperature if known else None,
        power_on_hours=count_at(document, "power_on_time", "hours"),
        power_cycles=count_at(document, "power_cycle_count"),
        used_percent=_first(
            count_at(nvme, "percentage_used"),
            count_at(document, "scsi_percentage_used_endurance_indicator"),
            count_at(document, "endurance_used", "current_percent"),
        ),
        spare_percent=count_at(nvme, "available_spare"),
        spare_threshold_percent=count_at(nvme, "available_spare_threshold"),
        media_errors=_first(count_at(nvme, "media_errors"), _scsi_errors(document), _raw(attributes.get(_UNCORRECTED))),
        reallocated=_first(count_at(document, "scsi_grown_defect_list"), _raw(attributes.get(_REALLOCATED))),
        pending=_raw(attributes.get(_PENDING)),
        crc_errors=_raw(attributes.get(_CRC)),
        error_log=_first(
            count_at(nvme, "num_err_log_entries"),
            count_at(document, "ata_smart_error_log", "extended", "count"),
            count_at(document, "ata_smart_error_log", "summary", "count"),
        ),
        self_test=_self_test(document),
    )


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _critical(nvme: Any) -> list[str]:
    bits = count_at(nvme, "critical_warning") or 0
    return [name for bit, name in enumerate(_CRITICAL) if bits & 1 << bit]


def _below(attributes: Any) -> list[str]:
    """The names of the attributes that are below their threshold now."""
    now = (entry for entry in attributes if text_at(entry, "when_failed") == "now")
    return [text_at(entry, "name") or f"attribute {count_at(entry, 'id')}" for entry in now]


def _raw(attribute: Any) -> int | None:
    """The raw value of an ATA attribute. Some makers pack more into the bytes above the lowest four."""
    raw = count_at(attribute, "raw", "value")
    return None if raw is None else raw & 0xFFFFFFFF


def _scsi_errors(document: Json) -> int | None:
    log = at(document, "scsi_error_counter_log")
    totals = [count_at(log, operation, "total_uncorrected_errors") for operation in ("read", "write", "verify")]
    known = [total for total in totals if total is not None]
    return sum(known) if known else None


def _self_test(document: Json) -> str | None:
    return (
        text_at(document, "ata_smart_self_test_log", "extended", "table", 0, "status", "string")
        or text_at(document, "ata_smart_self_test_log", "standard", "table", 0, "status", "string")
        or text_at(document, "scsi_self_test_0", "result", "string")
        or text_at(document, "nvme_self_test_log", "table", 0, "self_test_result", "string")
    )
