"""Rules on disks, and on drives behind RAID controllers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Set

from alchemy_node import parts
from alchemy_node.judging.finding import Finding, Verdict, usual
from alchemy_node.parts import Part

_FEW = 3  # disks of which one may be told to be the odd one

# counters that are 0 on a healthy drive, and the remedy for each
_COUNTS = (
    ("pending", "pending sectors", "it cannot read them"),
    ("reallocated", "reallocated sectors", "watch it, or replace it where it is new"),
    ("media_errors", "uncorrected errors", "replace it"),
    ("crc_errors", "errors on its interface", "reseat the drive or its cable"),
)
_WITHOUT_SMART = frozenset({"virtio", "usb", "mmc", "iscsi", "fc"})


def drives(alchemy: Part) -> list[Part]:
    """All disks, and the drives that RAID controllers hide."""
    behind = [drive for controller in alchemy["raid"] for drive in controller["drives"]]
    return [*(disk for disk in alchemy["disks"] if not disk.get("removable")), *behind]


def healthy(alchemy: Part) -> list[Finding]:
    """No drive says that it fails, and none has errors."""
    rule = "disk-health"
    logical = {controller["address"] for controller in alchemy["raid"] if controller["drives"]}
    found = []
    for drive in drives(alchemy):
        health, part = drive.get("health", {}), parts.disk(drive)
        failing = f" ({', '.join(health['failing'])})" if health.get("failing") else ""
        if health.get("passed") is False or failing:
            found.append(Finding(rule, Verdict.FAIL, part, f"the drive says that it fails{failing}: replace it"))
        elif health.get("spare_percent", 100) < health.get("spare_threshold_percent", 0):
            text = f"{health['spare_percent']} % of its spare blocks are left: replace it"
            found.append(Finding(rule, Verdict.FAIL, part, text))
        elif "passed" not in health and _should_tell(drive, logical):
            found.append(Finding(rule, Verdict.UNKNOWN, part, "its health cannot be read"))
        found += [
            Finding(rule, Verdict.WARN, part, f"it has {health[key]} {words}: {advice}")
            for key, words, advice in _COUNTS
            if health.get(key)
        ]
        if health.get("used_percent", 0) >= 100:
            text = f"{health['used_percent']} % of the endurance that its maker promises is used"
            found.append(Finding(rule, Verdict.WARN, part, text))
    return found


def same_firmware(alchemy: Part) -> list[Finding]:
    """Drives of one model have one firmware, and one size."""
    rule = "disk-firmware"
    found = []
    for equal in _grouped(drives(alchemy), "model").values():
        firmware = usual(drive["firmware"] for drive in equal if "firmware" in drive)
        for drive in equal:
            if drive.get("firmware", firmware) != firmware:
                text = f"it has firmware {drive['firmware']}, others of its model have {firmware}"
                found.append(Finding(rule, Verdict.FAIL, parts.disk(drive), text))
    return found


def same_size(alchemy: Part) -> list[Finding]:
    """Drives of one model have one size; volumes of a RAID controller have the size that someone gave them."""
    rule = "disk-size"
    controllers = {controller["address"] for controller in alchemy["raid"]}
    found = []
    for equal in _grouped(drives(alchemy), "model", "transport").values():
        whole = [drive for drive in equal if "size" in drive and drive.get("address") not in controllers]
        size = usual(drive["size"] for drive in whole)
        for drive in whole:
            if drive["size"] != size and drive.get("transport") != "virtio":
                text = f"it has {drive['size']} bytes, others of its model have {size}"
                found.append(Finding(rule, Verdict.WARN, parts.disk(drive), text))
    return found


def same_model(alchemy: Part) -> list[Finding]:
    """Of several drives of one kind on a controller none is of another model."""
    rule = "disk-model"
    found = []
    for equal in _grouped(drives(alchemy), "address", "transport", "rotational").values():
        expected = usual(drive["model"] for drive in equal if "model" in drive)
        odd = [drive for drive in equal if drive.get("model", expected) != expected]
        if len(odd) == 1 and len(equal) >= _FEW:
            text = f"it is a {odd[0]['model']}, all others on its controller are {expected}"
            found.append(Finding(rule, Verdict.WARN, parts.disk(odd[0]), text))
    return found


def _should_tell(drive: Part, logical: Set[str]) -> bool:
    """Tells whether a drive has a health of its own: a volume of a controller (`logical`: their addresses) has none."""
    return drive.get("transport") not in _WITHOUT_SMART and drive.get("address") not in logical


def _grouped(drives: list[Part], *keys: str) -> dict[tuple[Hashable, ...], list[Part]]:
    """The drives by the values of these keys; those without the first are left out."""
    groups: dict[tuple[Hashable, ...], list[Part]] = defaultdict(list)
    for drive in drives:
        if keys[0] in drive:
            groups[tuple(drive.get(key) for key in keys)].append(drive)
    return groups
