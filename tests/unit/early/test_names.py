"""The names of the interfaces: chroot/early/names.sh."""

from __future__ import annotations

import os

import pytest

from tests.lib.early import Node

BRIDGE = "devices/pci0000:00"


def attach(node: Node, name: str, device: str, port: str | None = None) -> None:
    """Makes an interface of a device below /sys, linked as the kernel links it."""
    node.interface(name, real=False)
    (node.root / "sys" / device).mkdir(parents=True, exist_ok=True)
    link = node.root / f"sys/class/net/{name}/device"
    link.symlink_to(os.path.relpath(node.root / "sys" / device, link.parent))
    if port is not None:
        node.write(f"sys/class/net/{name}/dev_port", f"{port}\n")


def renamed(node: Node) -> dict[str, str]:
    """Follows the renames of order_interfaces; the interfaces that keep their names are left out."""
    node.run("order_interfaces")
    assert node.said == []
    names: dict[str, str] = {}
    for call in node.calls:
        old, new = call.removeprefix("ip link set ").split(" name ")
        assert new not in names.values(), "the name is taken"
        names = {**names, next((first for first, now in names.items() if now == old), old): new}
    return names


@pytest.mark.parametrize(
    ("devices", "names"),
    [
        pytest.param({"eth0": "0000:00:03.0"}, {}, id="one"),
        pytest.param({"eth0": "0000:00:02.0", "eth1": "0000:00:03.0/virtio0"}, {}, id="in order"),
        pytest.param(
            {"eth0": "0000:00:03.0/virtio0", "eth1": "0000:00:02.0"}, {"eth0": "eth1", "eth1": "eth0"}, id="two drivers"
        ),
        pytest.param(
            {"eth0": "0000:00:05.0", "eth1": "0000:00:04.0", "eth2": "0000:00:03.0", "eth3": "0000:00:06.0"},
            {"eth0": "eth2", "eth2": "eth0"},
            id="one stays in the middle",
        ),
        pytest.param(
            {"eth0": "0000:00:1f.6", "eth1": "0000:00:1c.0/0000:0a:00.0", "eth2": "0000:00:1c.0/0000:0a:00.1"},
            {},
            id="a bus behind a bridge is behind bus 0",
        ),
        pytest.param(
            {"eth0": "0000:00:14.0/usb1/1-4/1-4:1.0", "eth1": "0000:17:00.0"},
            {"eth0": "eth1", "eth1": "eth0"},
            id="USB is behind PCI",
        ),
        pytest.param(
            {"eth0": "10000:01:00.0", "eth1": "0000:81:00.0"}, {"eth0": "eth1", "eth1": "eth0"}, id="a domain of VMD"
        ),
        pytest.param({"eth2": "0000:00:03.0", "eth7": "0000:00:02.0"}, {"eth2": "eth7", "eth7": "eth2"}, id="a gap"),
    ],
)
def test_interfaces_follow_their_pci_addresses(node: Node, devices: dict[str, str], names: dict[str, str]) -> None:
    for name, address in devices.items():
        attach(node, name, f"{BRIDGE}/{address}")
    assert renamed(node) == names


def test_ports_of_one_function_follow_their_numbers(node: Node) -> None:
    for name, port in (("eth0", "1"), ("eth1", "0")):
        attach(node, name, f"{BRIDGE}/0000:03:00.0", port)
    assert renamed(node) == {"eth0": "eth1", "eth1": "eth0"}


def test_more_than_ten_interfaces_are_numbered_not_spelt(node: Node) -> None:
    for number in range(12):
        attach(node, f"eth{number}", f"{BRIDGE}/0000:{number + 1:02x}:00.0")
    assert renamed(node) == {}


def test_an_interface_that_is_no_hardware_keeps_its_name(node: Node) -> None:
    node.interface("eth0", real=False)
    attach(node, "eth1", f"{BRIDGE}/0000:00:03.0")
    attach(node, "eth2", f"{BRIDGE}/0000:00:02.0")
    assert renamed(node) == {"eth1": "eth2", "eth2": "eth1"}


def test_a_device_of_no_bus_comes_last(node: Node) -> None:
    attach(node, "eth0", "devices/platform/nic")
    attach(node, "eth1", f"{BRIDGE}/0000:00:02.0")
    assert renamed(node) == {"eth0": "eth1", "eth1": "eth0"}


def test_a_rename_that_fails_is_said_and_the_boot_goes_on(node: Node) -> None:
    attach(node, "eth0", f"{BRIDGE}/0000:00:03.0")
    attach(node, "eth1", f"{BRIDGE}/0000:00:02.0")
    node.run("ip() { return 1; }; order_interfaces; echo on >on")
    assert node.said[0] == "net: eth1: cannot be renamed to renamed0"
    assert node.read("on") == "on\n"
