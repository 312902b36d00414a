"""RAID controllers, and the drives behind them as far as smartctl reaches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from alchemy_node.inventory import smart
from alchemy_node.inventory.disks import BLOCK
from alchemy_node.inventory.facts import Found, Json, Unknown, all_of, items, parse, present, reason, text_at
from alchemy_node.inventory.pci import address_of
from alchemy_node.machine import Machine

HOSTS = "/sys/class/scsi_host"
GENERIC = "/sys/class/scsi_generic"

_SCAN = ("smartctl", "--scan-open", "-j")
_SECONDS = 8.0

# PCI's class of RAID controllers.
_RAID = "0104"
# Controllers whose drives smartctl's scan does not list, but answers for by number.
_BY_NUMBER = ("hpsa", "smartpqi")
_MOST = 64
# Without a RAID of their own their drives are disks of the kernel.
_TRANSPARENT = ("megaraid_sas", "mpi3mr", "mpt3sas", "ahci", "vmd")


def collect(machine: Machine, functions: Sequence[Json]) -> Found[list[Json]]:
    """The controllers among the PCI functions, with the drives behind each."""
    controllers = [function for function in functions if function["class"].startswith(_RAID)]
    if not controllers:
        return Found([])
    output = machine.run(_SCAN, _SECONDS)
    scanned = [
        (kind, device)
        for entry in items(parse(output.stdout), "devices")
        if (kind := text_at(entry, "type")) and "," in kind and (device := text_at(entry, "name"))
    ]
    unknown = [Unknown("raid", " ".join(_SCAN), reason(output))] if output.problem else []
    found = [_controller(machine, controller, scanned) for controller in controllers]
    unknown += [entry for controller in found for entry in controller.unknown]
    return Found([controller.value for controller in found], tuple(unknown))


def _controller(machine: Machine, function: Json, scanned: Sequence[tuple[str, str]]) -> Found[Json]:
    address, driver = function["address"], function.get("driver")
    mine = [(kind, device) for kind, device in scanned if _owner(machine, device) == address]
    drives = (
        _numbered(machine, address) if driver in _BY_NUMBER else all_of([partial(_drive, machine, *of) for of in mine])
    )
    unknown = tuple(entry for drive in drives for entry in drive.unknown)
    if not drives and driver not in _TRANSPARENT:
        unknown = (Unknown(f"raid {address}", f"driver {driver}", "smartctl cannot list the drives behind it"),)
    controller = present(
        address=address,
        vendor=function.get("vendor_name"),
        model=function.get("device_name"),
        driver=driver,
        slot=function.get("slot"),
        drives=[drive.value for drive in drives],
    )
    return Found(controller, unknown)


def _owner(machine: Machine, device: str) -> str | None:
    """The PCI function of what smartctl opens: /dev/bus/N is SCSI host N, all else a disk."""
    folder, _, name = device.rpartition("/")
    place = f"{HOSTS}/host{name}" if folder == "/dev/bus" else f"{BLOCK}/{name}"
    return address_of(machine.link(place))


def _numbered(machine: Machine, address: str) -> list[Found[Json]]:
    """The drives cciss,0 cciss,1 ... up to the first that does not answer."""
    disks = [path for path in machine.glob(f"{BLOCK}/*") if address_of(machine.link(path)) == address]
    generic = [path for path in machine.glob(f"{GENERIC}/*") if address_of(machine.link(path)) == address]
    drives: list[Found[Json]] = []
    for path in (disks + generic)[:1]:
        for number in range(_MOST):
            drive = _drive(machine, f"cciss,{number}", f"/dev/{path.rpartition('/')[2]}")
            if drive.unknown:
                break
            drives.append(drive)
    return drives


def _drive(machine: Machine, kind: str, device: str) -> Found[Json]:
    drive = smart.read(machine, device, ("-d", kind))
    source = f"smartctl -x -j -d {kind} {device}"
    unknown = (Unknown(f"raid {kind}", source, drive.problem),) if drive.problem else ()
    return Found(present(type=kind, device=device, **drive.identity, health=drive.health or None), unknown)
