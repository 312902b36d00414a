"""The tools that the image promises, and how each is seen at work: SET.yml for each set of packages/."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from tests.boot.guest import Guest

_FOLDER = Path(__file__).resolve().parent
_SECONDS = 300


@dataclass(frozen=True)
class Tool:
    """An atom of a set, with the command that root runs in the booted image and the pattern its output has to match, or
    where else it is `tested`; or why an atom that was asked for is `missing`, and what is there `instead`."""

    set: str
    atom: str
    run: str = ""
    expect: str = ""
    tested: str = ""
    missing: str = ""
    instead: Sequence[str] = ()

    def __str__(self) -> str:
        return f"{self.set}: {self.atom}"

    def check(self, node: Guest) -> None:
        """Fails with what the tool printed when that is not what it has to."""
        _, output = node.try_ssh(f"sudo -n sh -c {shlex.quote(self.run)}", _SECONDS)
        assert re.search(self.expect, output, re.MULTILINE), f"{self}: {self.expect!r} is not in\n{output}"


@cache
def read(name: str) -> tuple[Tool, ...]:
    """The tools of a set, those that are missing too."""
    entries = yaml.safe_load((_FOLDER / f"{name}.yml").read_text(encoding="utf-8"))
    return tuple(Tool(name, **entry) for entry in entries)


def running(name: str) -> list[Tool]:
    """The tools of a set that run in the booted image."""
    return [tool for tool in read(name) if tool.run]


def hardware(folder: Path) -> list[str]:
    """QEMU's options for what the tools ask of the machine, its disks being files in `folder`: three virtio disks, vda,
    vdb and vdc; an ATA disk, sda; an NVMe disk, nvme0n1; a second interface, eth1; and a BMC."""
    options = ["-device", "ipmi-bmc-sim,id=bmc", "-device", "isa-ipmi-kcs,bmc=bmc"]
    options += ["-netdev", "user,id=second,net=10.0.3.0/24", "-device", "virtio-net-pci,netdev=second,romfile="]
    for name, size, device in (
        ("vda", 64, "virtio-blk-pci"),
        ("vdb", 256, "virtio-blk-pci"),
        ("vdc", 256, "virtio-blk-pci"),
        ("sda", 64, "ide-hd,serial=ALCHEMY1"),
        ("nvme", 64, "nvme,serial=ALCHEMY2"),
    ):
        disk = folder / f"{name}.img"
        with disk.open("wb") as file:
            file.truncate(size << 20)
        options += ["-drive", f"if=none,id={name},file={disk},format=raw", "-device", f"{device},drive={name}"]
    return options
