"""The seam to the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from alchemy_node.machine import Machine
from alchemy_node.processes import Output
from tests import recorded


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    device = tmp_path / "root/sys/devices/pci0000:00/0000:00:03.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text("0x1af4\n", encoding="ascii")
    (device / "odd").write_bytes(b"\xff\x00 odd")
    for name, target in (
        ("inside", "../devices/pci0000:00/0000:00:03.0"),
        ("dangling", "../bus/pci/drivers/virtio-pci"),
        ("outside", "/etc"),
        ("above", "../../../secret"),
        ("loop", "loop"),
    ):
        link = tmp_path / "root/sys/class" / name
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(target)
    (tmp_path / "secret").write_text("secret", encoding="ascii")
    os.mkfifo(tmp_path / "root/fifo")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "smartctl -j %2Fdev%2Fsda").write_bytes(b'{"ok": "\xff"}')
    (tools / "smartctl -j %2Fdev%2Fsda.status").write_text("64\n", encoding="ascii")
    (tools / "echo a%20b 100%25").write_text("a b\n", encoding="ascii")
    return recorded.machine(tmp_path)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/sys/devices/pci0000:00/0000:00:03.0/vendor", "0x1af4\n"),
        ("/sys/class/inside/vendor", "0x1af4\n"),
        ("/sys/class/inside/odd", "\ufffd\0 odd"),
        ("/sys/class/inside", None),
        ("/sys/class/inside/absent", None),
        ("/sys/class/outside/passwd", None),
        ("/sys/class/above", None),
        ("/sys/class/loop", None),
        ("/../secret", None),
        ("/fifo", None),
        ("/nul\0", None),
        ("/" + "x" * 300, None),
    ],
)
def test_read(machine: Machine, path: str, text: str | None) -> None:
    assert machine.read(path) == text


def test_read_is_bounded(machine: Machine) -> None:
    assert machine.read("/sys/class/inside/vendor", limit=4) == "0x1a"
    assert machine.read_bytes("/sys/class/inside/odd", limit=2) == b"\xff\x00"


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/sys/class/inside", "/sys/devices/pci0000:00/0000:00:03.0"),
        ("/sys/class/dangling", "/sys/bus/pci/drivers/virtio-pci"),
        ("/sys/class/outside", None),
        ("/sys/class/absent", None),
        ("/sys/devices", None),
    ],
)
def test_link(machine: Machine, path: str, target: str | None) -> None:
    assert machine.link(path) == target


def test_glob_is_sorted_and_stays_inside(machine: Machine) -> None:
    assert machine.glob("/sys/class/*/vendor") == ["/sys/class/inside/vendor"]
    assert machine.glob("/sys/devices/*/*/[ov]*") == [
        "/sys/devices/pci0000:00/0000:00:03.0/odd",
        "/sys/devices/pci0000:00/0000:00:03.0/vendor",
    ]
    assert machine.glob("/sys/class/outside/*") == []
    assert machine.glob("/absent/*") == []


def test_exists(machine: Machine) -> None:
    assert machine.exists("/sys/class/inside")
    assert not machine.exists("/sys/class/dangling")
    assert not machine.exists("/sys/class/outside")
    assert not machine.exists("/nul\0")


@pytest.mark.parametrize(
    ("argv", "output"),
    [
        (["smartctl", "-j", "/dev/sda"], Output(64, '{"ok": "\ufffd"}', "", "exit status 64")),
        (["echo", "a b", "100%"], Output(0, "a b\n")),
        (["echo", "a", "b", "100%"], Output(problem="not installed")),
    ],
)
def test_recorded_programs(machine: Machine, argv: list[str], output: Output) -> None:
    assert machine.run(argv) == output
