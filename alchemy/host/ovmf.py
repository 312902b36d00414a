"""UEFI firmware for QEMU's machines, found by the descriptors that distributions install with it.

QEMU's docs/interop/firmware.json defines the format, and docs/interop/firmware.rst where the files are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from alchemy.config.arch import ARCH

# a file of the first folder hides one of the same name in the second
_FOLDERS = (Path("/etc/qemu/firmware"), Path("/usr/share/qemu/firmware"))

# what our machine does not have, and what would refuse an iPXE that nobody signed
_UNWANTED = {"requires-smm", "secure-boot", "enrolled-keys"}


@dataclass(frozen=True)
class Image:
    """The content of a flash memory: a file, and its format as QEMU names it (raw, qcow2)."""

    path: Path
    format: str


@dataclass(frozen=True)
class Firmware:
    """The code, and a template for the variables, which each machine writes to a copy of its own."""

    code: Image
    variables: Image


def find(folders: Sequence[Path] = _FOLDERS) -> Firmware | None:
    """Finds the first firmware, in the order of the descriptors' names, that boots a q35 without Secure Boot.

    Returns None when there is no such descriptor. One that cannot be read is skipped.
    """
    descriptors = {path.name: path for folder in reversed(folders) for path in folder.glob("*.json")}
    for _, path in sorted(descriptors.items()):
        firmware = _read(path)
        if firmware is not None:
            return firmware
    return None


class _File(BaseModel):
    filename: Path
    format: str


class _Mapping(BaseModel):
    device: Literal["flash"]
    mode: Literal["split"] = "split"
    executable: _File
    variables: _File = Field(alias="nvram-template")


class _Target(BaseModel):
    architecture: str
    machines: list[str]

    def is_ours(self) -> bool:
        return self.architecture == ARCH.name and any(fnmatchcase("pc-q35-", pattern) for pattern in self.machines)


class _Descriptor(BaseModel):
    interfaces: list[str] = Field(alias="interface-types")
    mapping: _Mapping
    targets: list[_Target]
    features: list[str]


def _read(path: Path) -> Firmware | None:
    """Returns the firmware of a descriptor; None when it does not fit this machine, or its files are missing."""
    try:
        described = _Descriptor.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    code, variables = (
        Image(file.filename, file.format) for file in (described.mapping.executable, described.mapping.variables)
    )
    fits = (
        "uefi" in described.interfaces
        and any(target.is_ours() for target in described.targets)
        and _UNWANTED.isdisjoint(described.features)
        and code.path.is_file()
        and variables.path.is_file()
    )
    return Firmware(code, variables) if fits else None
