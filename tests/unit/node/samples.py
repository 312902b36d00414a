"""An inventory document of a machine that is as it should be, and ways to break it."""

from __future__ import annotations

import copy
from typing import Any

Document = dict[str, Any]

GIB = 1 << 30


def dimm(locator: str, size: int = 16 * GIB, **others: Any) -> dict[str, Any]:
    if not size:
        return {"locator": locator, "size": 0}
    number = sum(locator.encode()) % 10000
    return {
        "locator": locator,
        "size": size,
        "type": "DDR4",
        "rated_mts": 2933,
        "running_mts": 2933,
        "ecc": True,
        "ranks": 2,
        "part": "HMA82GR7CJR8N-WM",
        "serial": f"7E57{number:04d}",
        **others,
    }


def disk(name: str, bay: int, **others: Any) -> dict[str, Any]:
    return {
        "name": name,
        "model": "HGST HUS728T8TALE6L4",
        "serial": f"TEST{bay:04d}",
        "firmware": "V8GNW460",
        "size": 8001563222016,
        "rotational": True,
        "transport": "sata",
        "address": "0000:3d:00.0",
        "bay": f"Slot{bay:02d}",
        "health": {"passed": True, "reallocated": 0, "pending": 0},
        **others,
    }


def function(address: str, ids: str, device_class: str, port: str | None = None, **others: Any) -> dict[str, Any]:
    vendor, device = ids.split(":")
    link: dict[str, Any] = {"speed": 8.0, "width": 8, "max_speed": 8.0, "max_width": 8}
    if port:
        link |= {"port": port, "port_max_speed": 8.0, "port_max_width": 16}
    return {
        "address": address,
        "class": device_class,
        "vendor": vendor,
        "device": device,
        "link": link,
        **others,
    }


def nic(name: str, address: str, **others: Any) -> dict[str, Any]:
    return {
        "name": name,
        "mac": f"02:00:00:00:02:0{name[-1]}",
        "address": address,
        "driver": "mlx5_core",
        "firmware": "14.27.1016",
        "link": True,
        "speed_mbps": 25000,
        "max_mbps": 25000,
        "neighbours": [],
        **others,
    }


_SLOTS = [f"P{socket}-DIMM{channel}1" for socket in (1, 2) for channel in "ABCDEF"]

_GOOD: Document = {
    "inventory": {},
    "alchemy": {
        "schema": 1,
        "system": {"manufacturer": "Supermicro", "product": "SSG-6029P-E1CR12L", "serial": "TEST0001"},
        "board": {"product": "X11DPH-T"},
        "chassis": {},
        "firmware": {"vendor": "AMI", "version": "3.4", "date": "10/30/2020", "mode": "uefi"},
        "cpus": [
            {
                "socket": f"CPU{number}",
                "populated": True,
                "package": number - 1,
                "model": "Intel(R) Xeon(R) Silver 4214 CPU @ 2.20GHz",
                "cores": 12,
                "cores_enabled": 12,
                "threads": 24,
                "kernel_cores": 12,
                "kernel_threads": 24,
                "microcode": "0x5003103",
            }
            for number in (1, 2)
        ],
        "memory": {"kernel": 12 * 16 * GIB * 985 // 1000, "installed": 12 * 16 * GIB, "correction": "multi-bit"},
        "dimms": [dimm(locator) for locator in _SLOTS],
        "slots": [],
        "pci": [
            function("0000:3a:00.0", "8086:2030", "060400"),
            function("0000:3d:00.0", "1000:0097", "010700", "0000:3a:00.0", slot="6", device_name="SAS3008"),
            function("0000:d7:00.0", "8086:2030", "060400"),
            function("0000:d8:00.0", "15b3:1015", "020000", "0000:d7:00.0", slot="1", device_name="MT27710"),
            function("0000:d8:00.1", "15b3:1015", "020000", "0000:d7:00.0", slot="1", device_name="MT27710"),
        ],
        "gpus": [],
        "nics": [nic("eth0", "0000:d8:00.0"), nic("eth1", "0000:d8:00.1")],
        "disks": [disk(f"sd{'abcd'[bay]}", bay) for bay in range(4)],
        "raid": [],
        "bmc": {"firmware": "1.71", "sel": {"entries": 12, "used_percent": 2, "full": False}},
        "sensors": [],
        "kernel_errors": [],
        "unknown": [],
    },
}


def good() -> Document:
    """A two-socket server with twelve DIMMs, four disks and two ports: all of it as it should be."""
    return copy.deepcopy(_GOOD)


def broken(path: str, value: Any) -> Document:
    """The good machine with one value changed: `dimms.3.size`. None removes it."""
    document = good()
    *way, last = path.split(".")
    place: Any = document["alchemy"]
    for key in way:
        place = place[int(key)] if key.isdecimal() else place[key]
    if value is not None:
        place[int(last) if last.isdecimal() else last] = value
    elif last.isdecimal():
        del place[int(last)]
    else:
        del place[last]
    return document
