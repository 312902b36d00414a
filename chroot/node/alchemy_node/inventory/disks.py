"""The disks that the kernel has: what sysfs says, and what smartctl knows better."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from alchemy_node.inventory import smart
from alchemy_node.inventory.facts import Found, Json, Unknown, all_of, number, present
from alchemy_node.inventory.pci import address_of
from alchemy_node.machine import Machine

BLOCK = "/sys/block"

# Devices that no hardware stands behind, floppies and optical drives.
_NO_DISK = re.compile(r"(loop|ram|zram|nbd|dm-|md|sr|fd|rbd|drbd|bcache|zd)[0-9]*|mmcblk[0-9]+(boot[0-9]|rpmb)")
_NVME = re.compile(r"(nvme[0-9]+)n[0-9]+")
_NO_SMART = ("virtio", "mmc", "iscsi")
_TRANSPORTS = (
    ("/nvme", "nvme"), ("/virtio", "virtio"), ("/mmc", "mmc"), ("/usb", "usb"), ("/ata", "sata"), ("/session", "iscsi"),
    ("/rport-", "fc"), ("/end_device-", "sas"), ("/host", "scsi"),
)  # fmt: skip


def collect(machine: Machine, functions: Sequence[Json]) -> Found[list[Json]]:
    """All disks, by name; `functions` are those of PCI."""
    names = [name for path in machine.glob(f"{BLOCK}/*") if _is_disk(machine, name := path.rpartition("/")[2])]
    slots = {function["address"]: function["slot"] for function in functions if "slot" in function}
    found = all_of([partial(_disk, machine, name, slots) for name in names])
    return Found([disk.value for disk in found], tuple(entry for disk in found for entry in disk.unknown))


def _is_disk(machine: Machine, name: str) -> bool:
    folder = f"{BLOCK}/{name}"
    if _NO_DISK.fullmatch(name) or (machine.read(f"{folder}/hidden") or "").strip() == "1":
        return False
    # an empty card reader, or the virtual media of a BMC
    empty = (machine.read(f"{folder}/size") or "").strip() == "0"
    return not (empty and (machine.read(f"{folder}/removable") or "").strip() == "1")


def _disk(machine: Machine, name: str, slots: Json) -> Found[Json]:
    def read(leaf: str) -> str | None:
        return (machine.read(f"{BLOCK}/{name}/{leaf}", 4096) or "").strip() or None

    path = _path(machine, name)
    sectors = number(read("size"))
    transport = _transport(path, read("device/vendor"))
    address = address_of(path)
    sysfs = present(
        name=name,
        model=read("device/model") or read("device/name"),
        vendor=read("device/vendor") if transport in ("sas", "scsi", "fc", "iscsi", "usb") else None,
        serial=read("device/serial") or read("serial") or _page(machine, name),
        wwn=_wwn(read("wwid") or read("device/wwid")),
        firmware=read("device/firmware_rev") or read("device/rev"),
        size=sectors * 512 if sectors is not None else None,
        rotational=_flag(read("queue/rotational")),
        removable=_flag(read("removable")),
        transport=transport,
        hctl=_hctl(machine, name),
        address=address,
        bay=_bay(machine, name) or (slots.get(address or "") if transport == "nvme" else None),
        logical_sector=number(read("queue/logical_block_size")),
        physical_sector=number(read("queue/physical_block_size")),
    )
    if transport in _NO_SMART:
        return Found(sysfs)
    nvme = _NVME.fullmatch(name)
    device = f"/dev/{nvme[1] if nvme else name}"
    drive = smart.read(machine, device)
    unknown = (Unknown(f"disks {name} health", f"smartctl -x -j {device}", drive.problem),) if drive.problem else ()
    # Of a namespace's size, sectors and name the kernel knows more; of SATA behind SAS smartctl does.
    better = {key: value for key, value in drive.identity.items() if key not in ("size", "transport", "rotational")}
    if nvme:
        better.pop("wwn", None)
    if transport == "scsi" and "transport" in drive.identity:
        better["transport"] = drive.identity["transport"]
    return Found(sysfs | better | present(health=drive.health or None), unknown)


def _path(machine: Machine, name: str) -> str | None:
    """Where the disk hangs in sysfs. An NVMe drive with several paths is virtual there, its controllers are not."""
    path = machine.link(f"{BLOCK}/{name}")
    if path and path.startswith("/sys/devices/virtual/nvme-subsystem/"):
        controllers = machine.glob(f"{path.rpartition('/')[0]}/nvme*")
        return next((real for link in controllers if (real := machine.link(link))), path)
    return path


def _transport(path: str | None, vendor: str | None) -> str | None:
    if path is None:
        return None
    # a SATA disk behind a SAS controller calls itself so
    if vendor == "ATA" and "/usb" not in path:
        return "sata"
    return next((transport for part, transport in _TRANSPORTS if part in path), None)


def _hctl(machine: Machine, name: str) -> str | None:
    last = (machine.link(f"{BLOCK}/{name}/device") or "").rpartition("/")[2]
    return last if re.fullmatch(r"[0-9]+:[0-9]+:[0-9]+:[0-9]+", last) else None


def _bay(machine: Machine, name: str) -> str | None:
    """The place in a SAS enclosure, as the enclosure calls it."""
    links = machine.glob(f"{BLOCK}/{name}/device/enclosure_device:*")
    return links[0].partition("enclosure_device:")[2].strip() or None if links else None


def _page(machine: Machine, name: str) -> str | None:
    """The serial number of SCSI's vital product data: four bytes of header, then text."""
    data = machine.read_bytes(f"{BLOCK}/{name}/device/vpd_pg80", 260)
    return data[4:].decode("ascii", errors="replace").strip(" \0") or None if data else None


def _wwn(name: str | None) -> str | None:
    """NAA names as 0x..., EUI names as they are; others, made of model and serial, do not count."""
    if name and re.fullmatch(r"naa\.[0-9a-fA-F]{16,32}", name):
        return f"0x{name[4:].lower()}"
    return name if name and re.fullmatch(r"eui\.[0-9a-fA-F]{16,32}", name) else None


def _flag(text: str | None) -> bool | None:
    return {"0": False, "1": True}.get(text or "")
