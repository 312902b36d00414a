from __future__ import annotations

from typing import Any

import pytest

from alchemy_node import judging
from alchemy_node.judging import slots
from tests.unit.node.samples import GIB, broken, dimm, disk, function, good


def said(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each.rule, str(each.verdict), str(each)) for each in judging.judge(document)]


def test_a_machine_that_is_as_it_should_be_has_no_findings() -> None:
    assert said(good()) == []


@pytest.mark.parametrize(
    ("path", "value", "rule", "verdict", "text"),
    [
        (
            "dimms.8",
            dimm("P2-DIMMC1", 0),
            "channels-balanced",
            "FAIL",
            "DIMM P2-DIMMC1: the slot is empty, its counterpart P1-DIMMC1 holds 16 GiB",
        ),
        (
            "dimms.3",
            dimm("P1-DIMMD1", 16 * GIB, ranks=1),
            "dimms-alike",
            "FAIL",
            "DIMM P1-DIMMD1, serial 7E570586: it is 16 GiB DDR4 2933 MT/s 1 rank ECC, "
            "others are 16 GiB DDR4 2933 MT/s 2 ranks ECC",
        ),
        (
            "dimms.3.part",
            "M393A2K43DB2-CVF",
            "dimms-alike",
            "WARN",
            "DIMM P1-DIMMD1, serial 7E570586: it is a M393A2K43DB2-CVF, others are HMA82GR7CJR8N-WM",
        ),
        (
            "dimms.3.running_mts",
            2400,
            "dimm-speed",
            "FAIL",
            "DIMM P1-DIMMD1, serial 7E570586: it runs at 2400 MT/s, rated 2933",
        ),
        (
            "dimms.3.running_mts",
            None,
            "dimm-speed",
            "UNKNOWN",
            "the firmware does not say how fast 1 of 12 DIMMs are and run",
        ),
        (
            "memory.kernel",
            11 * 16 * GIB * 985 // 1000,
            "memory-seen",
            "FAIL",
            "the kernel has 173.36 GiB of the 192 GiB of the DIMMs: one may be disabled, or memory is mirrored or set "
            "aside; see the event log and the BIOS setup",
        ),
        (
            "memory.installed",
            None,
            "memory-seen",
            "UNKNOWN",
            "the size of the kernel's memory or of the DIMMs is not known",
        ),
        (
            "cpus.1.microcode",
            "0x5003006",
            "one-microcode",
            "FAIL",
            "socket CPU2: it runs microcode 0x5003006, the others 0x5003103",
        ),
        (
            "cpus.0.microcode",
            "0x5003006,0x5003103",
            "one-microcode",
            "FAIL",
            "socket CPU1: its threads run different microcode (0x5003006,0x5003103)",
        ),
        (
            "cpus.1.kernel_cores",
            11,
            "cores-running",
            "FAIL",
            "socket CPU2: the kernel runs on 11 of its 12 cores",
        ),
        (
            "cpus.1.status",
            "disabled by firmware",
            "cores-running",
            "FAIL",
            "socket CPU2: the CPU is disabled by firmware",
        ),
        (
            "pci.1.link.width",
            4,
            "link",
            "FAIL",
            "slot 6, PCI 0000:3d:00.0, SAS3008: the link runs at x4, the device and its port can x8: "
            "reseat the card, riser or cable",
        ),
        (
            "disks.2.firmware",
            "V8GNW400",
            "disk-firmware",
            "FAIL",
            "disk sdc, bay Slot02, serial TEST0002: it has firmware V8GNW400, others of its model have V8GNW460",
        ),
        (
            "disks.2",
            disk("sdc", 2, model="ST8000NM000A", firmware="SN02"),
            "disk-model",
            "WARN",
            "disk sdc, bay Slot02, serial TEST0002: it is a ST8000NM000A, "
            "all others on its controller are HGST HUS728T8TALE6L4",
        ),
        (
            "disks.2.health",
            {"passed": False, "failing": ["Reallocated_Sector_Ct"]},
            "disk-health",
            "FAIL",
            "disk sdc, bay Slot02, serial TEST0002: the drive says that it fails (Reallocated_Sector_Ct): replace it",
        ),
        (
            "disks.2.size",
            4000787030016,
            "disk-size",
            "WARN",
            "disk sdc, bay Slot02, serial TEST0002: it has 4000787030016 bytes, others of its model have 8001563222016",
        ),
        (
            "cpus.1.model",
            "Intel(R) Xeon(R) Silver 4210",
            "sockets-alike",
            "FAIL",
            "socket CPU2: the CPU is Intel(R) Xeon(R) Silver 4210, "
            "the others are Intel(R) Xeon(R) Silver 4214 CPU @ 2.20GHz",
        ),
        (
            "disks.2.health.pending",
            8,
            "disk-health",
            "WARN",
            "disk sdc, bay Slot02, serial TEST0002: it has 8 pending sectors: it cannot read them",
        ),
        (
            "disks.2.health",
            {"passed": True, "spare_percent": 4, "spare_threshold_percent": 10},
            "disk-health",
            "FAIL",
            "disk sdc, bay Slot02, serial TEST0002: 4 % of its spare blocks are left: replace it",
        ),
        (
            "disks.2.health",
            None,
            "disk-health",
            "UNKNOWN",
            "disk sdc, bay Slot02, serial TEST0002: its health cannot be read",
        ),
        (
            "bmc.sel.full",
            True,
            "event-log",
            "WARN",
            "BMC: its event log is full, new events are lost: save it (ipmitool sel elist), then ipmitool sel clear",
        ),
        (
            "bmc.sel.used_percent",
            93,
            "event-log",
            "WARN",
            "BMC: its event log is 93 % full: save it (ipmitool sel elist), then ipmitool sel clear",
        ),
        ("bmc.sel", None, "event-log", "UNKNOWN", "BMC: it does not say how full its event log is"),
    ],
)
def test_one_fault_is_one_finding_that_names_the_part(
    path: str, value: Any, rule: str, verdict: str, text: str
) -> None:
    assert said(broken(path, value)) == [(rule, verdict, text)]


def test_dimms_that_all_run_slower_are_one_warning() -> None:
    document = good()
    for each in document["alchemy"]["dimms"]:
        each["running_mts"] = 2400
    [(rule, verdict, text)] = said(document)
    assert (rule, verdict) == ("dimm-speed", "WARN")
    assert text.startswith("every DIMM runs at 2400 MT/s, rated 2933: the CPU, a BIOS setting")


def test_a_socket_without_a_cpu_is_a_warning_and_needs_no_dimms() -> None:
    document = good()
    alchemy = document["alchemy"]
    alchemy["cpus"][1] = {"socket": "CPU2", "populated": False}
    alchemy["dimms"][6:] = [dimm(each["locator"], 0) for each in alchemy["dimms"][6:]]
    alchemy["memory"] = {"kernel": 95 * GIB, "installed": 96 * GIB}
    assert said(document) == [("sockets-alike", "WARN", "socket CPU2: the socket is empty, others are populated")]


def test_a_populated_socket_without_dimms_is_a_failure() -> None:
    document = good()
    alchemy = document["alchemy"]
    alchemy["dimms"][6:] = [dimm(each["locator"], 0) for each in alchemy["dimms"][6:]]
    alchemy["memory"] = {"kernel": 95 * GIB, "installed": 96 * GIB}
    assert said(document) == [("channels-balanced", "FAIL", "socket P2: none of its slots holds a DIMM")]


def test_an_idle_gpu_with_a_driver_may_have_a_slow_link_but_no_narrow_one() -> None:
    gpu = function("0000:e1:00.0", "10de:2321", "030200", "0000:e0:00.0", driver="nvidia")
    document = good()
    document["alchemy"]["pci"].append(gpu)
    gpu["link"]["speed"] = 2.5
    assert [verdict for _, verdict, _ in said(document)] == ["WARN"]
    gpu["link"]["width"] = 4
    assert [verdict for _, verdict, _ in said(document)] == ["FAIL"]
    del gpu["driver"]
    gpu["link"]["width"] = 8
    assert [verdict for _, verdict, _ in said(document)] == ["FAIL"]


def test_of_a_switch_the_link_to_the_port_above_is_judged_and_each_link_once() -> None:
    document = good()
    # root port, upstream port, downstream port, device: a port above it tells of the link of an upstream port alone
    document["alchemy"]["pci"] = [
        function("0000:17:00.0", "8086:2030", "060400"),
        function("0000:18:00.0", "10b5:8796", "060400", "0000:17:00.0"),
        function("0000:19:00.0", "10b5:8796", "060400", "0000:18:00.0"),
        function("0000:1a:00.0", "8086:1563", "020000", "0000:19:00.0"),
        function("0000:1a:00.1", "8086:1563", "020000", "0000:19:00.0"),
    ]
    for each in document["alchemy"]["pci"]:
        each["link"]["width"] = 1
    assert [text[:16] for _, _, text in said(document)] == ["PCI 0000:18:00.0", "PCI 0000:1a:00.0"]


@pytest.mark.parametrize("missing", ["port_max_width", "max_width", "width", "port"])
def test_a_link_of_which_something_is_unknown_is_not_judged_too_slow(missing: str) -> None:
    document = broken("pci.1.link.width", 4)
    del document["alchemy"]["pci"][1]["link"][missing]
    assert said(document) == []


def test_drives_behind_a_controller_are_judged_and_its_volumes_are_not() -> None:
    document = good()
    alchemy = document["alchemy"]
    alchemy["disks"] = [disk("sda", 0, model="PERC H740P Mini", health={})]
    drive = {"model": "ST1200MM0088", "serial": "TEST0300", "firmware": "N004", "health": {"passed": True}}
    alchemy["raid"] = [
        {"address": "0000:3d:00.0", "drives": [{"type": f"megaraid,{number}", **drive} for number in range(3)]}
    ]
    assert said(document) == []
    alchemy["raid"][0]["drives"][1]["firmware"] = "N003"
    assert said(document) == [
        (
            "disk-firmware",
            "FAIL",
            "drive megaraid,1, serial TEST0300: it has firmware N003, others of its model have N004",
        )
    ]


def test_of_a_machine_that_says_nothing_everything_is_unknown() -> None:
    empty: dict[str, Any] = {key: [] for key in ("cpus", "dimms", "pci", "nics", "disks", "raid")}
    document = {"inventory": {}, "alchemy": {**empty, "memory": {}}}
    assert [(rule, verdict) for rule, verdict, _ in said(document)] == [
        ("sockets-alike", "UNKNOWN"),
        ("one-microcode", "UNKNOWN"),
        ("dimms-alike", "UNKNOWN"),
        ("memory-seen", "UNKNOWN"),
    ]


def test_failures_come_first() -> None:
    document = broken("bmc.sel.full", True)
    document["alchemy"]["disks"][0]["health"] = {"passed": False}
    del document["alchemy"]["memory"]["installed"]
    assert [verdict for _, verdict, _ in said(document)] == ["FAIL", "WARN", "UNKNOWN"]


@pytest.mark.parametrize(
    ("locator", "bank", "socket", "channel", "place"),
    [
        ("P1-DIMMA1", "P0_Node0_Channel0_Dimm0", "P0", "Node0_Channel0", 0),
        ("P2-DIMMF2", "", "P2", "F", 2),
        ("CPU1_DIMM_A1", "P0 CHANNEL A", "P0", "CHANNEL A", 1),
        ("CPU0_A0", "_Node0_Channel0_Dimm0", "Node0", "Channel0", 0),
        ("P0_UMC0_CH_A0", "P0 CHANNEL A", "P0", "CHANNEL A", 0),
        ("DIMM000 J27", "SOCKET 0 CHANNEL 0 DIMM 0", "SOCKET 0", "CHANNEL 0", 0),
        ("ChannelA-DIMM1", "BANK 1", "", "ChannelA", 1),
        ("PROC  1 DIMM 12", "Not Specified", "PROC  1", "", 12),
        ("PROC 1 DIMM 2A", "BANK0", "PROC 1", "", 2),
        ("CPU1_DIMM_A2", "NODE 1", "CPU1", "A", 2),
        ("DIMM_B3", "NO DIMM", "", "B", 3),
        ("B12", "", "B", "", 12),
    ],
)
def test_the_makers_names_of_slots(locator: str, bank: str, socket: str, channel: str, place: int) -> None:
    assert slots.locate([{"locator": locator, "bank": bank}]) == [slots.Slot(socket, channel, place)]


@pytest.mark.parametrize("locators", [["DIMM 0", "DIMM 1"], ["P1-DIMMA1", "RAM slot #1"], ["A1", "A1"], [""]])
def test_a_name_of_no_known_form_makes_all_unknown(locators: list[str]) -> None:
    assert slots.locate([{"locator": locator} for locator in locators]) == [None] * len(locators)


def test_volumes_of_a_raid_controller_may_have_any_size() -> None:
    document = good()
    alchemy = document["alchemy"]
    alchemy["disks"] = [disk("sda", 0, model="LOGICAL VOLUME"), disk("sdb", 1, model="LOGICAL VOLUME", size=1 << 30)]
    alchemy["raid"] = [{"address": "0000:3d:00.0", "drives": []}]
    assert said(document) == []


def test_one_empty_channel_of_many_is_a_gap() -> None:
    document = good()
    alchemy = document["alchemy"]
    alchemy["cpus"] = alchemy["cpus"][:1]
    alchemy["dimms"] = [dimm(f"P1-DIMM{channel}1", 16 * GIB if channel != "C" else 0) for channel in "ABCDEF"]
    alchemy["memory"] = {"kernel": 79 * GIB, "installed": 80 * GIB}
    assert said(document) == [
        (
            "channels-balanced",
            "WARN",
            "DIMM P1-DIMMC1: its channel holds 0 bytes, others of the socket 16 GiB",
        )
    ]


def test_slots_without_a_locator_are_compared_too() -> None:
    document = good()
    alchemy = document["alchemy"]
    for number, each in enumerate(alchemy["dimms"]):
        each["bank"] = f"P{number // 6} CHANNEL {'ABCDEF'[number % 6]}"
        del each["locator"]
    assert said(document) == []
    alchemy["dimms"][8] = {"bank": "P1 CHANNEL C", "size": 0}
    assert said(document)[0][2] == "DIMM P1 CHANNEL C: the slot is empty, its counterpart P0 CHANNEL C holds 16 GiB"
