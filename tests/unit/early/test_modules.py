"""The drivers that are modules: chroot/early/modules.sh."""

from __future__ import annotations

import pytest

from tests.lib.early import Node

# a kernel, and a modprobe that gives a device its driver: a bridge, by which there is another device
MODPROBE = """
uname() { echo 6.12.1-alchemy-1.2; }
usleep() { command sleep 0.01; }
chroot() {
    shift
    printf '%s\\n' "$*" >>"$ROOT/calls"
    case $* in
    *v1AF4*)
        mkdir -p "$ROOT/sys/bus/virtio/devices/virtio0"
        echo virtio:d1v1AF4 >"$ROOT/sys/bus/virtio/devices/virtio0/modalias"
        ;;
    esac
    echo gold 16384 0 - Live 0x0 >"$ROOT/proc/modules"
}
"""
ASKED = "modprobe --all --quiet --use-blacklist --"


def attach(node: Node, bus: str, name: str, modalias: str, driver: str = "") -> None:
    """Makes a device of a bus, with a driver where one is given."""
    folder = node.write(f"sys/bus/{bus}/devices/{name}/modalias", f"{modalias}\n").parent
    if driver:
        (folder / "driver").symlink_to(f"../../drivers/{driver}")
        (node.root / f"sys/bus/{bus}/drivers/{driver}").mkdir(parents=True, exist_ok=True)


@pytest.fixture
def modular(node: Node) -> Node:
    """A node whose image has modules."""
    node.write("new/lib/modules/6.12.1-alchemy-1.2/modules.dep", "")
    node.write("proc/modules", "")
    return node


def test_an_image_without_modules_asks_nobody(node: Node) -> None:
    attach(node, "pci", "0000:00:02.0", "pci:v8086")
    node.run(f"{MODPROBE} load_modules")
    assert (node.calls, node.said) == ([], [])


def test_pci_devices_come_first_in_the_order_of_their_addresses(modular: Node) -> None:
    attach(modular, "acpi", "PNP0C0C:00", "acpi:PNP0C0C:")
    attach(modular, "pci", "10000:01:00.0", "pci:v3")
    attach(modular, "pci", "0000:81:00.0", "pci:v2")
    attach(modular, "pci", "0000:02:00.0", "pci:v1")
    modular.run(f"{MODPROBE} load_modules")
    assert modular.calls == [f"{ASKED} pci:v1 pci:v2 pci:v3 acpi:PNP0C0C:"]
    assert modular.said == ["modules: loading drivers", "modules: loaded gold"]


def test_a_device_with_a_driver_and_a_second_one_of_its_kind_are_left_out(modular: Node) -> None:
    attach(modular, "pci", "0000:00:02.0", "pci:v1", driver="ahci")
    attach(modular, "pci", "0000:00:03.0", "pci:v2")
    attach(modular, "pci", "0000:00:04.0", "pci:v2")
    modular.run(f"{MODPROBE} load_modules")
    assert modular.calls == [f"{ASKED} pci:v2"]


def test_devices_of_a_bus_that_a_driver_brings_get_theirs(modular: Node) -> None:
    attach(modular, "pci", "0000:00:02.0", "pci:v1AF4")
    modular.run(f"{MODPROBE} load_modules")
    assert modular.calls == [f"{ASKED} pci:v1AF4", f"{ASKED} virtio:d1v1AF4"]


@pytest.mark.parametrize("modalias", ["", "usb:a b", "usb:\x1b[2J", "usb:é"])
def test_what_is_not_one_printable_word_is_left_out(modular: Node, modalias: str) -> None:
    attach(modular, "usb", "1-1", modalias)
    modular.run(f"{MODPROBE} load_modules")
    assert modular.calls == []
    assert modular.said == ["modules: loading drivers", "modules: loaded none"]


def test_a_pattern_is_taken_as_it_is(modular: Node) -> None:
    modular.write("usb:1", "")
    attach(modular, "usb", "1-1", "usb:*")
    modular.run(f"{MODPROBE} load_modules")
    assert modular.calls == [f"{ASKED} usb:*"]


def test_what_modprobe_says_is_on_the_console(modular: Node) -> None:
    attach(modular, "pci", "0000:00:02.0", "pci:v1")
    modular.run(f"{MODPROBE} chroot() {{ echo 'ERROR: could not insert gold: Exec format error' >&2; }}; load_modules")
    assert modular.said == [
        "modules: loading drivers",
        "modules: ERROR: could not insert gold: Exec format error",
        "modules: loaded none",
    ]


def test_the_boot_goes_on_without_a_driver_that_hangs(modular: Node) -> None:
    attach(modular, "pci", "0000:00:02.0", "pci:v1")
    hangs = """
    chroot() {
        printf 'lead 8192 0 - Live 0x0\ngold 16384 1 - Loading 0x0\n' >"$ROOT/proc/modules"
        echo 'ERROR: could not insert tin: No such device' >&2
        until [ -e "$ROOT/over" ]; do command sleep 0.01; done
    }
    usleep() { [ ! -s "$ROOT/run/alchemy/modprobe.log" ] || echo 72.34 20.00 >"$ROOT/proc/uptime"; }
    """
    modular.run(f'{MODPROBE} {hangs} load_modules; : >"$ROOT/over"; wait')
    assert modular.said == [
        "modules: loading drivers",
        "modules: ERROR: could not insert tin: No such device",
        "modules: modprobe does not end within 60 s: the boot goes on without gold",
        "modules: loaded lead",
    ]
