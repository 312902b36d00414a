from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from alchemy.host import ovmf
from alchemy.host.ovmf import Firmware, Image


def descriptor(folder: Path, name: str, **changes: Any) -> Firmware:
    """Writes the files of a firmware, and its descriptor as Debian has it, with these changes. Returns the firmware."""
    folder.mkdir(exist_ok=True)
    code, variables = folder / f"{name}.code", folder / f"{name}.vars"
    code.touch()
    variables.touch()
    described = {
        "description": "UEFI firmware for x86_64",
        "interface-types": ["uefi"],
        "mapping": {
            "device": "flash",
            "executable": {"filename": str(code), "format": "raw"},
            "nvram-template": {"filename": str(variables), "format": "raw"},
        },
        "targets": [{"architecture": "x86_64", "machines": ["pc-i440fx-*", "pc-q35-*"]}],
        "features": ["acpi-s3", "verbose-dynamic"],
        "tags": [],
    }
    (folder / f"{name}.json").write_text(json.dumps(described | changes), encoding="utf-8")
    return Firmware(Image(code, "raw"), Image(variables, "raw"))


def test_the_first_by_name_is_found(tmp_path: Path) -> None:
    descriptor(tmp_path, "60-b")
    first = descriptor(tmp_path, "50-a")
    descriptor(tmp_path, "70-c")
    assert ovmf.find([tmp_path]) == first


def test_a_host_without_descriptors_has_none(tmp_path: Path) -> None:
    assert ovmf.find([tmp_path / "missing", tmp_path]) is None


def test_a_descriptor_of_the_administrator_hides_the_distributions(tmp_path: Path) -> None:
    folders = [tmp_path / "etc", tmp_path / "usr"]
    descriptor(tmp_path / "usr", "50")
    ours = descriptor(tmp_path / "etc", "50")
    assert ovmf.find(folders) == ours
    # an empty file is the documented way to switch one off
    (tmp_path / "etc" / "50.json").write_bytes(b"")
    assert ovmf.find(folders) is None


def test_a_format_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "ovmf.qcow2"
    file.touch()
    image = {"filename": str(file), "format": "qcow2"}
    mapping = {"device": "flash", "mode": "split", "executable": image, "nvram-template": image}
    descriptor(tmp_path, "50", mapping=mapping)
    assert ovmf.find([tmp_path]) == Firmware(Image(file, "qcow2"), Image(file, "qcow2"))


IMAGE = {"filename": "/missing", "format": "raw"}
NOT_OURS: Mapping[str, dict[str, Any]] = {
    "a BIOS": {"interface-types": ["bios"]},
    "another architecture": {"targets": [{"architecture": "aarch64", "machines": ["virt-*"]}]},
    "another machine": {"targets": [{"architecture": "x86_64", "machines": ["microvm", "pc-i440fx-*"]}]},
    "SMM": {"features": ["requires-smm"]},
    "Secure Boot": {"features": ["secure-boot"]},
    "enrolled keys": {"features": ["enrolled-keys"]},
    "no flash memory": {"mapping": {"device": "memory", "filename": "/missing"}},
    "no variables": {"mapping": {"device": "flash", "mode": "stateless", "executable": IMAGE}},
    "files that are missing": {"mapping": {"device": "flash", "executable": IMAGE, "nvram-template": IMAGE}},
    "another shape": {"targets": "x86_64"},
}


@pytest.mark.parametrize("changes", NOT_OURS.values(), ids=NOT_OURS.keys())
def test_firmware_that_is_not_for_our_machine_is_passed_over(tmp_path: Path, changes: dict[str, Any]) -> None:
    descriptor(tmp_path, "40", **changes)
    assert ovmf.find([tmp_path]) is None
    ours = descriptor(tmp_path, "50")
    assert ovmf.find([tmp_path]) == ours


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]", b"null"])
def test_a_corrupt_descriptor_is_passed_over(tmp_path: Path, content: bytes) -> None:
    tmp_path.joinpath("40.json").write_bytes(content)
    assert ovmf.find([tmp_path]) is None
