"""PCI functions, GPUs, network ports and their neighbours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from alchemy_node.inventory import lldp, nics, pci
from alchemy_node.machine import Machine
from alchemy_node.processes import Output
from tests.unit.node import files

PORT, DEVICE = "0000:16:02.0", "0000:17:00.0"
BEHIND = f"/sys/devices/pci0000:16/{PORT}/{DEVICE}"
IDENTITY = {"vendor": "0x10de\n", "device": "0x2321\n", "class": "0x030200\n"}


def pci_machine(
    root: Path, device: dict[str, str], port: dict[str, str] | None = None, more: dict[str, str] | None = None
) -> Machine:
    """A function behind a root port, with these files each."""
    bridge = {"vendor": "0x8086", "device": "0x347a", "class": "0x060400", **(port or {})}
    given = {f"/sys/devices/pci0000:16/{PORT}/{name}": text for name, text in bridge.items()}
    given |= {f"{BEHIND}/{name}": text for name, text in {**IDENTITY, **device}.items()}
    links = {f"{pci.DEVICES}/{PORT}": f"/sys/devices/pci0000:16/{PORT}", f"{pci.DEVICES}/{DEVICE}": BEHIND}
    return files.machine(root, given | (more or {}), links)


def function(root: Path, device: dict[str, str], port: dict[str, str] | None = None) -> Any:
    return pci.collect(pci_machine(root, device, port), []).value[1]


@pytest.mark.parametrize(
    ("device", "port", "link"),
    [
        pytest.param(
            {
                "current_link_speed": "16.0 GT/s PCIe",
                "current_link_width": "8",
                "max_link_speed": "32.0 GT/s PCIe",
                "max_link_width": "16",
            },
            {"max_link_speed": "32.0 GT/s PCIe", "max_link_width": "16"},
            {
                "speed": 16.0,
                "width": 8,
                "max_speed": 32.0,
                "max_width": 16,
                "port": PORT,
                "port_max_speed": 32.0,
                "port_max_width": 16,
            },
            id="slow and narrow",
        ),
        pytest.param(
            {
                "current_link_speed": "8 GT/s",
                "current_link_width": "4",
                "max_link_speed": "8 GT/s",
                "max_link_width": "4",
            },
            {},
            {"speed": 8.0, "width": 4, "max_speed": 8.0, "max_width": 4, "port": PORT},
            id="an older kernel, a port that does not say",
        ),
        pytest.param(
            {
                "current_link_speed": "Unknown",
                "current_link_width": "0",
                "max_link_speed": "8.0 GT/s PCIe",
                "max_link_width": "4",
            },
            {},
            {"max_speed": 8.0, "max_width": 4, "port": PORT},
            id="link down",
        ),
        pytest.param(
            {"current_link_width": "255", "max_link_width": "255"}, {"max_link_width": "16"}, None, id="no PCIe"
        ),
        pytest.param({}, {"max_link_width": "16"}, None, id="no files"),
        pytest.param({"max_link_speed": "99999999.0 GT/s", "max_link_width": "-1"}, {}, None, id="garbage"),
    ],
)
def test_links(device: dict[str, str], port: dict[str, str], link: Any, tmp_path: Path) -> None:
    assert function(tmp_path / "root", device, port).get("link") == link


def test_error_counters(tmp_path: Path) -> None:
    counters = {
        "aer_dev_correctable": "RxErr 2\nBadTLP 3\nTOTAL_ERR_COR 5\n",
        "aer_dev_nonfatal": "Undefined 0\nTOTAL_ERR_NONFATAL 1\n",
        "aer_dev_fatal": "nothing\n",
    }
    assert function(tmp_path / "root", counters)["aer"] == {"correctable": 5, "nonfatal": 1}


@pytest.mark.parametrize(
    ("kernel", "dmi", "slot"),
    [
        pytest.param({}, [], None, id="none"),
        pytest.param({"7/address": "0000:17:00\n"}, [], "7", id="the kernel's, of the device"),
        pytest.param({"7/address": "0000:16:02\n"}, [], "7", id="the kernel's, of the port above"),
        pytest.param(
            {"7/address": "0000:17:00\n"}, [{"name": "PCIe 2", "in_use": True, "address": DEVICE}], "PCIe 2", id="DMI's"
        ),
        pytest.param({}, [{"name": "PCIe 2", "in_use": True, "address": PORT}], "PCIe 2", id="DMI's, of the port"),
        pytest.param({}, [{"name": "PCIe 2", "in_use": False, "address": DEVICE}], None, id="DMI's, available"),
        pytest.param({}, [{"address": DEVICE}], None, id="without a name"),
    ],
)
def test_slots(kernel: dict[str, str], dmi: list[Any], slot: str | None, tmp_path: Path) -> None:
    given = {f"/sys/bus/pci/slots/{name}": text for name, text in kernel.items()}
    machine = pci_machine(tmp_path / "root", {}, more=given)
    assert pci.collect(machine, dmi).value[1].get("slot") == slot


def test_the_host_bridge_is_in_no_slot(tmp_path: Path) -> None:
    """Firmware writes its address for a slot whose address it does not know."""
    bridge = "/sys/devices/pci0000:00/0000:00:00.0"
    given = {f"{bridge}/{name}": text for name, text in IDENTITY.items()}
    machine = files.machine(tmp_path / "root", given, {f"{pci.DEVICES}/0000:00:00.0": bridge})
    (found,) = pci.collect(machine, [{"name": "PCIe 2", "address": "0000:00:00.0"}]).value
    assert "slot" not in found


NAMES = """Slot:\t0000:17:00.0
Class:\t3D controller [0302]
Vendor:\tNVIDIA Corporation [10de]
Device:\tGH100 [H100L 94GB] [2321]
Rev:\ta1
"""


def test_a_name_that_lspci_does_not_know_is_none(tmp_path: Path) -> None:
    text = f"Slot:\t{DEVICE}\nClass:\tHost bridge [0600]\nVendor:\tIntel Corporation [8086]\nDevice:\tDevice [0d57]\n"
    machine = pci_machine(tmp_path / "root", {})
    (_, found) = pci.collect(Machine(machine.root, files.Told({"lspci -Dvmmnn": text})), []).value
    assert (found["class_name"], found["vendor_name"]) == ("Host bridge", "Intel Corporation")
    assert "device_name" not in found


def test_names_and_gpus(tmp_path: Path) -> None:
    bars = "0x0000210000000000 0x0000210fffffffff 0x000000000014220c\n0x0 0x0 0x0\nnonsense\n"
    machine = pci_machine(tmp_path / "root", {"resource": bars})
    machine = Machine(machine.root, files.Told({"lspci -Dvmmnn": NAMES}))
    functions = pci.collect(machine, [])
    assert functions.unknown == ()
    assert pci.gpus(machine, functions.value) == [
        {"address": DEVICE, "vendor": "NVIDIA Corporation", "model": "GH100 [H100L 94GB]", "largest_bar": 64 << 30}
    ]


@pytest.mark.parametrize(
    ("identity", "gpus"),
    [
        ({"vendor": "0x10de", "class": "0x030000"}, 1),
        ({"vendor": "0x1002", "class": "0x120000"}, 1),
        ({"vendor": "0x1a03", "class": "0x030000"}, 0),
        ({"vendor": "0x1234", "class": "0x030000"}, 0),
        ({"vendor": "0x10de", "class": "0x040300"}, 0),
    ],
)
def test_what_is_a_gpu(identity: dict[str, str], gpus: int, tmp_path: Path) -> None:
    machine = pci_machine(tmp_path / "root", identity)
    assert len(pci.gpus(machine, pci.collect(machine, []).value)) == gpus


NET = "/sys/class/net/eth0"
UP = {f"{NET}/flags": "0x1003", f"{NET}/carrier": "1", f"{NET}/speed": "25000", f"{NET}/address": "02:00:00:00:00:01",
      f"{NET}/duplex": "full"}  # fmt: skip
MODES = """Settings for eth0:
\tSupported ports: [ FIBRE ]
\tSupported link modes:   1000baseKX/Full
\t                        25000baseCR/Full 10000baseSR/Full
\tSupported pause frame use: Symmetric
\tAdvertised link modes:  100000baseCR4/Full
"""
DRIVER = "driver: ice\nversion: 6.12.63\nfirmware-version: 4.20 0x80018f66 1.3346.0\nbus-info: 0000:17:00.0\n"
ADDRESSES = """1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
4: eth0    inet 192.0.2.7/24 brd 192.0.2.255 scope global eth0\\       valid_lft forever preferred_lft forever
4: eth0    inet 192.0.2.8/24 scope global secondary eth0\\       valid_lft forever preferred_lft forever
4: eth0    inet6 fe80::1/64 scope link \\       valid_lft forever preferred_lft forever
4: eth0    inet6 2001:DB8::7/64 scope global \\       valid_lft forever preferred_lft forever
"""
HEARD = {"lldp": [{"interface": [{"name": "eth0", "via": "LLDP"}]}]}


def port(root: Path, given: dict[str, str], outputs: dict[str, str | Output] | None = None) -> Any:
    answers = {
        "ethtool -i eth0": DRIVER,
        "ethtool eth0": MODES,
        " ".join(lldp.COMMAND): json.dumps(HEARD),
        "ip -o addr show": ADDRESSES,
    }
    machine = files.machine(root, given, {f"{NET}/device": BEHIND}, {**answers, **(outputs or {})})
    return nics.collect(machine)


def test_a_port(tmp_path: Path) -> None:
    found = port(tmp_path / "root", UP)
    assert found.unknown == ()
    assert found.value == [
        {
            "name": "eth0", "mac": "02:00:00:00:00:01", "address": DEVICE, "driver": "ice", "driver_version": "6.12.63",
            "firmware": "4.20 0x80018f66 1.3346.0", "link": True, "speed_mbps": 25000, "max_mbps": 25000,
            "full_duplex": True, "neighbours": [{"protocol": "LLDP"}],
            "ipv4": "192.0.2.7", "ipv6": "2001:db8::7",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "known"),
    [
        pytest.param({f"{NET}/carrier": "0"}, {"link": False, "speed_mbps": None, "full_duplex": None}, id="no link"),
        pytest.param({f"{NET}/speed": "-1"}, {"link": True, "speed_mbps": None}, id="speed of virtio"),
        pytest.param(
            {f"{NET}/address": "80:00:02:08:fe:80:00:00:00:00:00:00:00:00:00:00:00:00:00:01"},
            {"mac": None},
            id="InfiniBand",
        ),
        pytest.param(
            {f"{NET}/bonding_slave/perm_hwaddr": "02:00:00:00:00:0A"}, {"mac": "02:00:00:00:00:0a"}, id="bond"
        ),
    ],
)
def test_odd_ports(given: dict[str, str], known: dict[str, Any], tmp_path: Path) -> None:
    (found,) = port(tmp_path / "root", UP | given).value
    assert {name: found.get(name) for name in known} == known


@pytest.mark.parametrize(
    ("flags", "taken"),
    [
        ("Private flags for eth0:\ndisable-fw-lldp        : off\n", True),
        ("Private flags for eth0:\ndisable-fw-lldp        : on\n", False),
        ("Private flags for eth0:\nlink-down-on-close     : off\nfw-lldp-agent          : on\n", True),
        ("Private flags for eth0:\nfw-lldp-agent          : off\n", False),
        ("Private flags for eth0:\nlegacy-rx              : off\n", None),
    ],
)
def test_firmware_that_takes_lldp_frames(flags: str, taken: bool | None, tmp_path: Path) -> None:
    (found,) = port(tmp_path / "root", UP, {"ethtool --show-priv-flags eth0": flags}).value
    assert found.get("lldp_in_firmware") is taken


def test_what_a_port_does_not_tell(tmp_path: Path) -> None:
    missing = Output(problem="not installed")
    given = UP | {f"{NET}/flags": "0x1002"}
    found = port(
        tmp_path / "root", given, {"ethtool -i eth0": missing, " ".join(lldp.COMMAND): "[]", "ip -o addr show": missing}
    )
    assert [(entry.subject, entry.reason) for entry in found.unknown] == [
        ("nics neighbours", "unexpected output"),
        ("nics ipv4", "not installed"),
        ("nics eth0", "not installed"),
        ("nics eth0 link", "the interface is down"),
    ]


def test_virtual_interfaces_and_virtual_functions_are_no_ports(tmp_path: Path) -> None:
    given = {"/sys/devices/virtual/net/lo/address": "", f"{BEHIND}/net/eth1/address": "", f"{BEHIND}/physfn/vendor": ""}
    links = {"/sys/class/net/lo": "/sys/devices/virtual/net/lo", "/sys/class/net/eth1": f"{BEHIND}/net/eth1",
             f"{BEHIND}/net/eth1/device": BEHIND}  # fmt: skip
    assert nics.collect(files.machine(tmp_path / "root", given, links)).value == []


@pytest.mark.parametrize(
    ("interface", "neighbour"),
    [
        pytest.param(
            {
                "via": "LLDP",
                "chassis": [
                    {
                        "id": [{"type": "mac", "value": "02:00:00:00:00:02"}],
                        "name": [{"value": "sw1"}],
                        "descr": [{"value": "a switch"}],
                        "mgmt-ip": [{"value": "192.0.2.1"}],
                    }
                ],
                "port": [{"id": [{"type": "ifname", "value": "Eth1"}], "descr": [{"value": "uplink"}]}],
                "vlan": [
                    {"vlan-id": "100", "pvid": "yes", "value": "rack"},
                    {"vlan-id": 7, "pvid": False},
                    {"vlan-id": "x"},
                ],
            },
            {
                "protocol": "LLDP",
                "chassis_id": "02:00:00:00:00:02",
                "chassis_id_type": "mac",
                "system_name": "sw1",
                "system_description": "a switch",
                "management": ["192.0.2.1"],
                "port_id": "Eth1",
                "port_id_type": "ifname",
                "port_description": "uplink",
                "vlans": [{"id": 100, "name": "rack", "pvid": True}, {"id": 7, "pvid": False}],
            },
            id="complete",
        ),
        pytest.param(
            {"chassis": [{"id": [{"type": "mac", "value": "02:00:00:00:00:02"}]}], "port": [{"id": [{"value": "1"}]}]},
            {"chassis_id": "02:00:00:00:00:02", "chassis_id_type": "mac", "port_id": "1"},
            id="the mandatory TLVs",
        ),
        pytest.param({"chassis": {"id": 5}, "port": [[]], "vlan": "none"}, {}, id="another shape"),
    ],
)
def test_neighbours(interface: dict[str, Any], neighbour: dict[str, Any], tmp_path: Path) -> None:
    text = json.dumps({"lldp": [{"interface": [{"name": "eth0", **interface}]}]})
    machine = files.machine(tmp_path / "root", outputs={" ".join(lldp.COMMAND): text})
    assert lldp.neighbours(machine).value == {"eth0": [neighbour]}


def test_two_neighbours_on_one_port(tmp_path: Path) -> None:
    one = {"name": "eth0", "via": "LLDP"}
    text = json.dumps({"lldp": [{"interface": [one, {**one, "via": "CDPv2"}]}]})
    machine = files.machine(tmp_path / "root", outputs={" ".join(lldp.COMMAND): text})
    assert [peer["protocol"] for peer in lldp.neighbours(machine).value["eth0"]] == ["LLDP", "CDPv2"]
