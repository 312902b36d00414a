"""The schema of the inventory is valid, and refuses other documents."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from tests import repository
from tests.unit.node import documents

IRONIC: dict[str, Any] = {
    "interfaces": [],
    "cpu": {
        "model_name": None, "frequency": None, "count": 2, "architecture": "x86_64", "flags": [], "socket_count": None,
    },
    "memory": {"total": 1024, "physical_mb": None},
    "disks": [],
    "bmc_address": None,
    "bmc_v6address": None,
    "bmc_mac": None,
    "system_vendor": {
        "product_name": None, "serial_number": None, "manufacturer": None,
        "firmware": {"vendor": None, "version": None, "build_date": None},
    },
    "boot": {"current_boot_mode": "bios", "pxe_interface": None},
    "hostname": None,
}  # fmt: skip
LISTS = ("cpus", "dimms", "slots", "pci", "gpus", "nics", "disks", "raid", "sensors", "kernel_errors", "unknown")
SMALLEST: dict[str, Any] = {
    "inventory": IRONIC,
    "alchemy": {
        "schema": 1, "taken": "2026-11-28T10:00:00Z", "system": {}, "board": {}, "chassis": {},
        "firmware": {"mode": "bios"}, "memory": {}, **{name: [] for name in LISTS},
    },
}  # fmt: skip


def test_the_schema_is_a_schema() -> None:
    documents.check_schema()


def test_the_smallest_document() -> None:
    documents.check(SMALLEST)


@pytest.mark.parametrize(
    ("subject", "value"),
    [
        pytest.param("cpu", [], id="unknown key"),
        pytest.param("schema", 2, id="another schema"),
        pytest.param("dimms", [{"locator": "A\x1b[2J"}], id="ANSI escape"),
        pytest.param("dimms", [{"locator": "x" * 257}], id="long string"),
        pytest.param("dimms", [{"locator": ""}], id="empty string"),
        pytest.param("dimms", [{"locator": None}], id="null"),
        pytest.param("dimms", [{"size": -1}], id="negative size"),
        pytest.param("disks", [{"name": "sda", "transport": "pigeon"}], id="unknown transport"),
        pytest.param("unknown", [{"subject": "disks", "source": "smartctl"}], id="no reason"),
    ],
)
def test_what_is_no_inventory(subject: str, value: Any) -> None:
    document = copy.deepcopy(SMALLEST)
    document["alchemy"][subject] = value
    with pytest.raises(AssertionError):
        documents.check(document)


def test_the_documentation_has_every_key() -> None:
    text = (repository.ROOT / "docs/inventory.md").read_text(encoding="utf-8")
    table = {
        key
        for line in text.splitlines()
        if line.startswith("| `")
        for key in re.findall("`([a-z_]+)`", line.split("|")[1])
    }
    assert table == set(documents.SCHEMA["$defs"]["alchemy"]["properties"])
