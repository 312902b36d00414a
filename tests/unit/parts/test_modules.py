"""What kernel modules say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from alchemy.errors import VerificationError
from alchemy.parts import firmware, modules
from alchemy.parts.hardware import alias_file, device_tables
from tests.unit.vmlinux import module


def test_modules_are_listed_in_the_form_of_the_kernels_own_drivers(tmp_path: Path) -> None:
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra/gold-nic.ko").write_bytes(
        module(b"alias=pci:v00001AF4d00001000sv*sd*bc*sc*i*\0\0\0firmware=gold/a.bin\0license=GPL\0")
    )
    (tmp_path / "lead.ko").write_bytes(module(b"license=GPL\0"))
    modinfo = modules.modinfo(tmp_path)
    assert modinfo.split(b"\0") == [
        b"gold_nic.alias=pci:v00001AF4d00001000sv*sd*bc*sc*i*",
        b"gold_nic.firmware=gold/a.bin",
        b"gold_nic.license=GPL",
        b"lead.license=GPL",
        b"",
    ]
    assert firmware.asked_for(modinfo) == ["gold/a.bin"]
    assert list(device_tables.of_modinfo(modinfo)) == [("pci:v00001AF4d00001000sv*sd*bc*sc*i*", "gold_nic")]


def test_a_module_without_a_modinfo_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "gold.ko").write_bytes(module(b""))
    assert modules.modinfo(tmp_path) == b""


@pytest.mark.parametrize("content", [b"", b"\x7fELF", module(b"alias=x\0")[:80]], ids=["empty", "magic", "truncated"])
def test_what_is_no_module_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "gold.ko").write_bytes(content)
    with pytest.raises(VerificationError, match=r"gold\.ko: not a complete ELF file"):
        modules.modinfo(tmp_path)


def test_links_are_not_modules(tmp_path: Path) -> None:
    (tmp_path / "link.ko").symlink_to("/etc/passwd")
    assert modules.find(tmp_path) == []


@pytest.mark.parametrize("text", [b"pci:v1\nalias pci:v2 evil", b"pci:v1 evil", b"pci:v\xff", b"pci:\x1b[2J"])
def test_an_alias_is_one_printable_word(text: bytes) -> None:
    assert list(device_tables.of_modinfo(b"gold.alias=" + text + b"\0")) == []


def test_modules_of_packages_come_after_the_kernels_own_drivers() -> None:
    modinfo = b"gold.alias=pci:v1\0gold.firmware=gold/a.bin\0gold.firmware=a b\0"
    text = alias_file.extended("# kernel 6.12\nalias pci:v2 lead\n", device_tables.of_modinfo(modinfo), modinfo)
    assert text.splitlines() == [
        "# kernel 6.12", "alias pci:v2 lead", "# firmware gold gold/a.bin", "alias pci:v1 gold"
    ]  # fmt: skip
