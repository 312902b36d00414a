"""Racks for the tests of the pages: records with a node of each kind."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.testclient import TestClient

from alchemy.rack.config import Profile, RackConfig, builtin_profiles
from alchemy.rack.identity import Keys
from alchemy.rack.pages.desk import Desk
from alchemy.rack.pages.operators import Operators
from alchemy.rack.pages.routes import routes
from alchemy.rack.records import boots, events, inventories, nodes, runs
from alchemy.rack.records.database import Records
from alchemy.rack.records.nodes import Node
from tests.unit.node.burnin import runs as node_runs
from tests.unit.rack.test_operators import GOLD, LEAD

NOW = datetime(2026, 11, 28, 5, 0, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}\u202e\x1b[31m\x00"
Json = dict[str, Any]
PROFILES = {
    **builtin_profiles("alchemy"),
    "wipe": Profile(name="wipe", image="alchemy", cmdline="net burnin_disks=blank", jobs=("burnin",), destructive=True),
}


def config() -> RackConfig:
    """Returns a configuration with two operators, and a destructive profile."""
    return RackConfig.model_construct(operators={"alice": GOLD, "bob:view": LEAD}, profiles=PROFILES)


def desk(records: Records, now: datetime = NOW) -> Desk:
    """Returns what the pages work with, at a fixed time."""
    return Desk(config(), records, Operators(config()), clock=lambda: now)


def client(records: Records) -> TestClient:
    """Returns a client of the pages, which follows no redirects."""
    return TestClient(Starlette(routes=routes(desk(records))), base_url="http://rack.example", follow_redirects=False)


def document(serial: str = "EX0001", port: str = "Ethernet1/12") -> Json:
    """Returns the inventory of a server with two sockets."""
    dimms: list[Json] = [
        {
            "locator": f"DIMM_{bank}{number}", "size": 32 << 30, "type": "DDR5", "rated_mts": 4800,
            "running_mts": 4400, "ecc": True, "manufacturer": "Example", "part": "EX-32G-4800",
            "serial": f"D{number}{bank}00",
        }
        for bank in "AB" for number in range(1, 5)
    ]  # fmt: skip
    dimms.append({"locator": "DIMM_B5", "size": 0})
    return {
        "inventory": {"memory": {"physical_mb": 262144}},
        "alchemy": {
            "schema": 1,
            "kernel": "6.12.40-alchemy-1.2",
            "system": {"manufacturer": "Example", "product": "EX-2200", "serial": serial},
            "board": {"product": "EX-BOARD", "serial": "B0001"},
            "firmware": {"vendor": "Example", "version": "2.1.5", "date": "03/14/2025", "mode": "uefi"},
            "cpus": [
                {
                    "socket": f"CPU{number}", "populated": True, "model": "Example E-2200 v4", "cores": 32,
                    "threads": 64, "max_mhz": 3600, "microcode": "0xb000040",
                }
                for number in (1, 2)
            ],
            "dimms": dimms,
            "disks": [
                {
                    "name": f"nvme{number}n1", "bay": f"bay {number}", "model": "EX-NVME", "serial": f"N000{number}",
                    "size": 3_840_755_982_336, "transport": "nvme", "firmware": "1.0",
                    "health": {"passed": True, "used_percent": 3, "power_on_hours": 1234},
                }
                for number in range(4)
            ],
            "nics": [
                {
                    "name": "eth0", "mac": "02:00:00:00:00:01", "link": True, "speed_mbps": 25000, "max_mbps": 25000,
                    "driver": "mlx5_core", "firmware": "26.1", "address": "0000:17:00.0",
                    "neighbours": [
                        {
                            "protocol": "LLDP", "system_name": "tor-7", "port_id": port,
                            "vlans": [{"id": 20, "name": "burnin"}],
                        }
                    ],
                },
                {"name": "eth1", "mac": "02:00:00:00:00:02", "link": False, "driver": "mlx5_core", "neighbours": []},
            ],
            "pci": [
                {
                    "address": "0000:17:00.0", "class": "020000", "vendor": "15b3", "device": "1015",
                    "vendor_name": "Example", "device_name": "EX-25G", "slot": "Slot 1", "driver": "mlx5_core",
                    "link": {"speed": 8.0, "width": 8},
                }
            ],
            "bmc": {"address": "192.0.2.99", "mac": "02:00:00:00:00:99", "firmware": "7.10"},
            "kernel_errors": [{"level": "err", "count": 3, "text": "mlx5_core 0000:17:00.1: link down"}],
        },
    }  # fmt: skip


def lines(record: Path) -> list[Json]:
    """Returns the lines of a run's file."""
    return [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]


def add(connection: Connection, number: int, **changes: Any) -> Node:
    """Adds a node with a serial and a MAC of its own; `changes` are fields of its record."""
    keys = Keys(
        serial=f"EX{number:04}", macs=(f"02:00:00:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",)
    )
    made = nodes.create(connection, keys, now=NOW - timedelta(days=3))
    fields = {"last_seen": NOW - timedelta(minutes=1), "address": "192.0.2.50", "version": "1.2", **changes}
    nodes.update(connection, made.id, **fields)
    return nodes.get(connection, made.id) or made


def burn(
    connection: Connection, node: Node, record: Path, most: int | None = None, *, proven: bool = True,
    began: datetime = NOW - timedelta(hours=1),
) -> str:  # fmt: skip
    """Adds a run of a node with the first `most` lines of a file; returns its id."""
    run = runs.open(connection, node.id, f"boot-{node.id}", profile="burnin", proven=proven, now=began)
    runs.append(connection, run.id, lines(record)[:most], now=NOW - timedelta(minutes=1))
    return run.id


def fill(records: Records, folder: Path) -> Mapping[str, str]:
    """Adds a node of each kind; returns their ids by what they are."""
    good, bad = folder / "passed.jsonl", folder / "failed.jsonl"
    node_runs.passed(good)
    node_runs.failed(bad)
    made: dict[str, Node] = {}
    with records.begin() as connection:
        made["passed"] = add(
            connection, 12, tag="r1-u12", status="Unallocated", profile="local", reason="no rule matches Unallocated",
            stage="local", stage_at=NOW - timedelta(hours=20),
        )  # fmt: skip
        burning = {"profile": "burnin", "reason": "New -> burnin", "status": "New", "stage": "burn-in"}
        made["running"] = add(connection, 13, tag="r1-u13", **burning, stage_at=NOW - timedelta(hours=1))
        made["failed"] = add(
            connection, 14, tag="r1-u14", status="Maintenance", state="HW_TESTING", profile="burnin",
            reason="Maintenance/HW_TESTING -> burnin", stage="burn-in", stage_at=NOW - timedelta(hours=2),
        )  # fmt: skip
        made["silent"] = add(
            connection, 15, tag="r1-u15", **burning, stage_at=NOW - timedelta(hours=3),
            last_seen=NOW - timedelta(minutes=48),
        )  # fmt: skip
        made["unproven"] = add(connection, 16, tag="r1-u16", **burning)
        made["alarm"] = add(
            connection, 17, tag="r1-u17", alarm="192.0.2.77 asks with the keys of this node, which 192.0.2.50 has",
            alarm_at=NOW - timedelta(minutes=9), profile="local", reason="conflict: two addresses",
        )  # fmt: skip
        made["unknown"] = nodes.create(connection, Keys(macs=("02:00:00:00:ff:01",)), now=NOW)
        inventory = document("EX0014")
        inventories.add(connection, made["failed"], inventory, proven=True, now=NOW - timedelta(days=2))
        changed = copy.deepcopy(inventory)
        changed["alchemy"]["dimms"][3]["serial"] = "D4A77"
        del changed["alchemy"]["disks"][2]
        inventories.add(connection, made["failed"], changed, proven=True, now=NOW - timedelta(hours=2))
        for name in ("passed", "running", "silent", "unproven", "alarm"):
            serial = str(made[name].keys.serial)
            given = document(serial, f"Ethernet1/{int(serial[2:])}")
            inventories.add(connection, made[name], given, proven=name != "unproven", now=NOW - timedelta(hours=2))
        burn(connection, made["passed"], good, began=NOW - timedelta(days=1))
        burn(connection, made["running"], good, 6)
        burn(connection, made["failed"], bad)
        burn(connection, made["silent"], good, 6)
        burn(connection, made["unproven"], good, proven=False)
        for name, node in made.items():
            boots.begin(
                connection, node.id, f"boot-{node.id}", address="192.0.2.50", profile=node.profile or "intake",
                reason=node.reason or "unknown", version="1.2", lifetime=None, now=NOW - timedelta(hours=2),
            )  # fmt: skip
            message = f"{node.profile or 'intake'}: {node.reason or 'unknown'}"
            events.add(connection, node.id, "boot", message, now=NOW - timedelta(hours=2))
            events.add(connection, node.id, "stage", f"{name}: system is up", now=NOW - timedelta(hours=1))
    return {name: node.id for name, node in made.items()}


def hostile(records: Records, folder: Path) -> str:
    """Adds a node all of whose strings attack the reader; returns its id."""
    record = folder / "hostile.jsonl"
    node_runs.failed(record, node_runs.HOSTILE)
    given = document()
    for disk in given["alchemy"]["disks"]:
        disk.update(dict.fromkeys(("bay", "name", "model", "serial", "firmware", "transport"), HOSTILE))
    for nic in given["alchemy"]["nics"]:
        nic["neighbours"] = [dict.fromkeys(("system_name", "port_id", "port_description", "protocol"), HOSTILE)]
    given["alchemy"]["unknown"] = [{"subject": HOSTILE, "source": HOSTILE, "reason": HOSTILE}]
    with records.begin() as connection:
        node = add(
            connection, 666,
            **dict.fromkeys(
                ("tag", "vendor", "port", "status", "state", "profile", "reason", "stage", "stage_message", "address",
                 "version", "alarm"), HOSTILE,
            ),
            alarm_at=NOW,
        )  # fmt: skip
        inventories.add(connection, node, given, proven=True, now=NOW)
        nodes.update(connection, node.id, model=HOSTILE, vendor=HOSTILE, port=HOSTILE)
        events.add(connection, node.id, HOSTILE, HOSTILE, {"text": HOSTILE}, now=NOW)
        burn(connection, node, record)
    return node.id


def many(records: Records, count: int) -> None:
    """Adds nodes, each third of which has a run."""
    with records.begin() as connection:
        for number in range(count):
            node = add(
                connection, number, tag=f"r{number // 40}-u{number % 40:02}", vendor="Example", model="EX-2200",
                port=f"tor-{number // 40} Ethernet1/{number % 40}", status="Maintenance", state="HW_TESTING",
                profile="burnin", reason="Maintenance/HW_TESTING -> burnin", stage="burn-in", stage_at=NOW,
            )  # fmt: skip
            if number % 3 == 0:
                run = runs.open(connection, node.id, f"boot-{number}", profile="burnin", proven=True, now=NOW)
                if number % 6 == 0:
                    runs.finish(connection, run.id, "COMPLETE", "FAIL", now=NOW)
