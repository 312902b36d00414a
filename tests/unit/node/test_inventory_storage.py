"""Disks, their health, and the drives behind RAID controllers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from alchemy_node.inventory import disks, raid, smart
from alchemy_node.inventory.facts import Found
from alchemy_node.machine import Machine
from alchemy_node.processes import Output
from tests.unit.node import files

PCI = "/sys/devices/pci0000:00/0000:00:17.0"
SATA = f"{PCI}/ata1/host0/target0:0:0/0:0:0:0"
ADDRESS = "0000:00:17.0"


def answered(document: Any, status: int = 0) -> Output:
    return Output(status, json.dumps(document), "", f"exit status {status}" if status else None)


def drive(document: Any, status: int = 0, root: Path = Path("/nowhere")) -> smart.Drive:
    outputs = files.Told({"smartctl -x -j /dev/sda": answered(document, status)})
    return smart.read(Machine(root, outputs), "/dev/sda")


def attribute(number: int, raw: int, failed: str = "", name: str = "A") -> dict[str, Any]:
    return {"id": number, "name": name, "when_failed": failed, "raw": {"value": raw}}


@pytest.mark.parametrize(
    ("document", "health"),
    [
        pytest.param(
            {
                "smart_status": {"passed": True},
                "temperature": {"current": 36},
                "power_on_time": {"hours": 14551},
                "power_cycle_count": 13,
                "ata_smart_attributes": {
                    "table": [attribute(5, 8), attribute(187, 1), attribute(197, 2), attribute(199, 3)]
                },
                "ata_smart_error_log": {"summary": {"count": 4}},
                "ata_smart_self_test_log": {"standard": {"table": [{"status": {"string": "Completed: read failure"}}]}},
            },
            {
                "passed": True, "temperature": 36, "power_on_hours": 14551, "power_cycles": 13, "media_errors": 1,
                "reallocated": 8, "pending": 2, "crc_errors": 3, "error_log": 4, "self_test": "Completed: read failure",
            },
            id="ATA",
        ),
        pytest.param(
            {
                "smart_status": {"passed": False},
                "ata_smart_attributes": {"table": [attribute(5, 1, "now", "Reallocated"), attribute(1, 1, "past")]},
            },
            {"passed": False, "failing": ["Reallocated"], "reallocated": 1},
            id="ATA, failing now",
        ),
        pytest.param(
            {"ata_smart_attributes": {"table": [attribute(5, (7 << 32) + 2)]}},
            {"reallocated": 2},
            id="a raw value with another number above it",
        ),
        pytest.param(
            {
                "smart_status": {"passed": False},
                "nvme_smart_health_information_log": {
                    "critical_warning": 0b1001, "percentage_used": 101, "available_spare": 5,
                    "available_spare_threshold": 10, "media_errors": 3, "num_err_log_entries": 62,
                },
            },
            {
                "passed": False, "failing": ["spare below threshold", "read-only"], "used_percent": 101,
                "spare_percent": 5, "spare_threshold_percent": 10, "media_errors": 3, "error_log": 62,
            },
            id="NVMe",
        ),
        pytest.param(
            {
                "scsi_grown_defect_list": 260,
                "scsi_error_counter_log": {
                    "read": {"total_uncorrected_errors": 536}, "write": {"total_uncorrected_errors": 1}, "verify": {},
                },
                "scsi_percentage_used_endurance_indicator": 4,
            },
            {"media_errors": 537, "reallocated": 260, "used_percent": 4},
            id="SCSI",
        ),
        pytest.param({"temperature": {"current": 0}}, {}, id="no sensor"),
        pytest.param({"smart_status": {"passed": "yes"}, "power_cycle_count": -1, "wwn": 5}, {}, id="odd"),
    ],
)  # fmt: skip
def test_health(document: Any, health: Any) -> None:
    assert drive(document).health == health


@pytest.mark.parametrize(
    ("document", "identity"),
    [
        pytest.param(
            {
                "device": {"protocol": "ATA"}, "model_name": "860 EVO", "serial_number": "TEST1", "rotation_rate": 0,
                "firmware_version": "RVT02B6Q", "wwn": {"naa": 5, "oui": 0x002538, "id": 0xE7E570001},
                "user_capacity": {"bytes": 500107862016},
            },
            {
                "model": "860 EVO", "serial": "TEST1", "wwn": "0x5002538e7e570001", "firmware": "RVT02B6Q",
                "size": 500107862016, "rotational": False, "transport": "sata",
            },
            id="ATA",
        ),
        pytest.param(
            {
                "device": {"protocol": "SCSI"}, "scsi_model_name": "SEAGATE ST1200MM0088", "scsi_vendor": "SEAGATE",
                "scsi_product": "ST1200MM0088", "scsi_revision": "N004", "rotation_rate": 10000,
                "logical_unit_id": "0x5000c500a7e57000", "scsi_transport_protocol": {"name": "SAS (SPL-4)"},
            },
            {
                "model": "ST1200MM0088", "vendor": "SEAGATE", "wwn": "0x5000c500a7e57000", "firmware": "N004",
                "rotational": True, "transport": "sas",
            },
            id="SAS",
        ),
    ],
)  # fmt: skip
def test_identity(document: Any, identity: Any) -> None:
    assert drive(document).identity == identity


@pytest.mark.parametrize(
    ("document", "status", "problem"),
    [
        pytest.param({"model_name": "X"}, 4, None, id="a command of the drive failed, the rest is there"),
        pytest.param({"model_name": "X"}, 0x40, None, id="errors in its log"),
        pytest.param({}, 2, "exit status 2", id="cannot be opened"),
        pytest.param(
            {"smartctl": {"messages": [{"string": "Unable to detect device type", "severity": "error"}]}},
            1,
            "Unable to detect device type",
            id="its own message",
        ),
        pytest.param([], 0, "no JSON", id="another shape"),
    ],
)
def test_what_smartctl_cannot_read(document: Any, status: int, problem: str | None) -> None:
    assert drive(document, status).problem == problem


def disk(root: Path, place: str, given: Mapping[str, str], outputs: Mapping[str, str | Output] = {}) -> Any:
    """The one disk at a place of sysfs, whose last part is its name."""
    name = place.rpartition("/")[2]
    content = {f"{place}/{leaf}": text for leaf, text in {"size": "1000215216", **given}.items()}
    parent = place.rpartition("/block/")[0] if "/block/" in place else place.rpartition("/")[0]
    links = {f"{disks.BLOCK}/{name}": place, f"{place}/device": parent}
    (found,) = disks.collect(files.machine(root, content, links, outputs), []).value
    return found


@pytest.mark.parametrize(
    ("place", "given", "known"),
    [
        (f"{SATA}/block/sda", {}, {"transport": "sata", "hctl": "0:0:0:0", "address": ADDRESS, "size": 512110190592}),
        (f"{PCI}/host4/port-4:0/end_device-4:0/target4:0:0/4:0:0:0/block/sdb", {}, {"transport": "sas"}),
        (f"{PCI}/host4/target4:2:0/4:2:0:0/block/sdc", {}, {"transport": "scsi"}),
        (f"{PCI}/usb1/1-3/1-3:1.0/host6/target6:0:0/6:0:0:0/block/sdd", {}, {"transport": "usb"}),
        (f"{PCI}/virtio2/block/vda", {"serial": "TEST1"}, {"transport": "virtio", "serial": "TEST1"}),
        ("/sys/devices/platform/soc/mmc_host/mmc0/mmc0:0001/block/mmcblk0", {}, {"transport": "mmc", "address": None}),
        (f"{PCI}/nvme/nvme0/nvme0n1", {"wwid": "eui.0025387e57000001\n"}, {"wwn": "eui.0025387e57000001"}),
        (f"{PCI}/nvme/nvme0/nvme0n1", {"wwid": "nvme.144d-54455354-01"}, {"wwn": None}),
        (f"{SATA}/block/sda", {"queue/rotational": "1", "removable": "0"}, {"rotational": True, "removable": False}),
        (f"{SATA}/block/sda", {"queue/logical_block_size": "512", "queue/physical_block_size": "4096"},
         {"logical_sector": 512, "physical_sector": 4096}),
        (f"{SATA}/block/sda", {"size": "garbage"}, {"size": None}),
    ],
)  # fmt: skip
def test_disks_of_the_kernel(place: str, given: dict[str, str], known: dict[str, Any], tmp_path: Path) -> None:
    found = disk(tmp_path / "root", place, given)
    assert {name: found.get(name) for name in known} == known


@pytest.mark.parametrize(
    ("name", "given", "listed"),
    [
        ("sda", {}, True), ("nvme0n1", {}, True), ("nvme10n12", {}, True), ("vda", {}, True), ("mmcblk0", {}, True),
        ("pmem0", {}, True), ("sda", {"size": "0", "removable": "0"}, True),
        ("loop0", {}, False), ("zram0", {}, False), ("ram15", {}, False), ("nbd3", {}, False), ("dm-0", {}, False),
        ("md127", {}, False), ("sr0", {}, False), ("fd0", {}, False), ("mmcblk0boot0", {}, False),
        ("nvme0c0n1", {"hidden": "1"}, False), ("sdb", {"size": "0", "removable": "1"}, False),
    ],
)  # fmt: skip
def test_only_what_the_machine_has_is_a_disk(name: str, given: dict[str, str], listed: bool, tmp_path: Path) -> None:
    content = {f"{disks.BLOCK}/{name}/{leaf}": text for leaf, text in {"size": "8", **given}.items()}
    found = disks.collect(files.machine(tmp_path / "root", content), []).value
    assert [entry["name"] for entry in found] == [name] * listed


def test_smartctl_knows_the_whole_model_and_the_kernel_the_size(tmp_path: Path) -> None:
    document = {"model_name": "Samsung SSD 860 EVO 500GB", "serial_number": "TEST1", "user_capacity": {"bytes": 5}}
    given = {"../../vendor": "ATA     ", "../../model": "Samsung SSD 860 "}
    found = disk(tmp_path / "root", f"{SATA}/block/sda", given, {"smartctl -x -j /dev/sda": answered(document)})
    assert found["model"] == "Samsung SSD 860 EVO 500GB"
    assert found["size"] == 512110190592
    assert "vendor" not in found


def test_an_nvme_drive_of_two_controllers_is_one_disk(tmp_path: Path) -> None:
    head = "/sys/devices/virtual/nvme-subsystem/nvme-subsys0"
    controller = f"{PCI}/nvme/nvme0"
    given = {f"{head}/nvme0n1/size": "8", f"{controller}/nvme0c0n1/hidden": "1", f"{controller}/serial": "TEST1"}
    links = {f"{head}/nvme0": controller, f"{disks.BLOCK}/nvme0n1": f"{head}/nvme0n1",
             f"{disks.BLOCK}/nvme0c0n1": f"{controller}/nvme0c0n1"}  # fmt: skip
    functions = [{"address": ADDRESS, "slot": "Bay 3"}]
    (found,) = disks.collect(files.machine(tmp_path / "root", given, links), functions).value
    assert (found["name"], found["address"], found["transport"], found["bay"]) == ("nvme0n1", ADDRESS, "nvme", "Bay 3")


def test_the_bay_of_an_enclosure(tmp_path: Path) -> None:
    root = tmp_path / "root"
    files.machine(root, {f"{SATA}/block/sda/size": "8"}, {f"{SATA}/enclosure_device:Slot 07": "/sys/class/enclosure/e"})
    assert disk(root, f"{SATA}/block/sda", {})["bay"] == "Slot 07"


def controller(driver: str) -> dict[str, Any]:
    return {"address": ADDRESS, "class": "010400", "driver": driver}


def scan(*entries: tuple[str, str]) -> Output:
    return answered({"devices": [{"name": name, "type": kind} for name, kind in entries]})


def behind(root: Path, driver: str, outputs: Mapping[str, str | Output]) -> Any:
    links = {f"{raid.HOSTS}/host0": f"{PCI}/host0/scsi_host/host0", f"{disks.BLOCK}/sda": f"{PCI}/host0/block/sda"}
    return raid.collect(files.machine(root, links=links, outputs=outputs), [controller(driver)])


MODEL = answered({"model_name": "X"})


def test_drives_that_the_scan_lists_belong_to_the_controller_of_their_host(tmp_path: Path) -> None:
    listed = scan(("/dev/sda", "scsi"), ("/dev/bus/0", "megaraid,8"), ("/dev/bus/1", "megaraid,9"))
    outputs = {"smartctl --scan-open -j": listed, "smartctl -x -j -d megaraid,8 /dev/bus/0": MODEL}
    found = behind(tmp_path / "root", "megaraid_sas", outputs)
    assert found.unknown == ()
    assert found.value[0]["drives"] == [{"type": "megaraid,8", "device": "/dev/bus/0", "model": "X"}]


def test_drives_that_are_asked_for_by_number(tmp_path: Path) -> None:
    outputs = {"smartctl --scan-open -j": scan(), **{f"smartctl -x -j -d cciss,{n} /dev/sda": MODEL for n in (0, 1, 3)}}
    found = behind(tmp_path / "root", "hpsa", outputs)
    assert [entry["type"] for entry in found.value[0]["drives"]] == ["cciss,0", "cciss,1"]


@pytest.mark.parametrize(
    ("driver", "outputs", "reasons"),
    [
        ("aacraid", {"smartctl --scan-open -j": scan()}, ["smartctl cannot list the drives behind it"]),
        ("megaraid_sas", {"smartctl --scan-open -j": scan()}, []),
        ("megaraid_sas", {}, ["not installed"]),
        ("megaraid_sas", {"smartctl --scan-open -j": scan(("/dev/bus/0", "megaraid,8"))}, ["not installed"]),
        ("hpsa", {"smartctl --scan-open -j": scan()}, ["smartctl cannot list the drives behind it"]),
    ],
)
def test_drives_that_stay_unknown(
    driver: str, outputs: dict[str, str | Output], reasons: list[str], tmp_path: Path
) -> None:
    assert [entry.reason for entry in behind(tmp_path / "root", driver, outputs).unknown] == reasons


def test_without_a_raid_controller_nothing_is_asked(tmp_path: Path) -> None:
    sata = {"address": ADDRESS, "class": "010601"}
    assert raid.collect(files.machine(tmp_path / "root"), [sata]) == Found([])
