"""Setups of a rack on an interface that need not exist."""

from __future__ import annotations

from ipaddress import IPv4Interface
from pathlib import Path

from alchemy.rack.serving import ipxe
from alchemy.rack.serving.interfaces import Interface
from alchemy.rack.serving.ipxe import Binary
from alchemy.rack.serving.setup import Setup, create

INTERFACE = Interface("eth7", IPv4Interface("192.0.2.1/24"))


def image(folder: Path, machine: int = 0x8664) -> Path:
    """Makes an image whose kernel is a PE file for a machine, as far as its header says."""
    folder.mkdir(parents=True, exist_ok=True)
    header = b"MZ" + bytes(0x3A) + (0x40).to_bytes(4, "little") + b"PE\0\0" + machine.to_bytes(2, "little")
    (folder / "alchemy.img").write_bytes(header + bytes(64))
    (folder / "alchemy.ramfs").write_bytes(b"ramfs")
    return folder


def own_binaries(state: Path) -> tuple[Binary, ...]:
    """Puts iPXE binaries of the user's into a state folder, and returns them."""
    binaries = tuple(Binary(name, state / "ipxe" / name) for name in (ipxe.BIOS, ipxe.X64, ipxe.ARM64))
    for binary in binaries:
        binary.path.parent.mkdir(parents=True, exist_ok=True)
        binary.path.write_text(binary.name, encoding="utf-8")
    return binaries


def setup(folder: Path, *, range_words: str | None = None, port: int = 80, machine: int = 0x8664) -> Setup:
    """Returns a setup with an image and iPXE binaries in `folder`, on INTERFACE."""
    own_binaries(folder / "state")
    served = {"alchemy": image(folder / "image", machine)}
    return create(INTERFACE, folder / "state", served, range_words=range_words, port=port)
