"""Recorded machines: they can be loaded, and hold nothing that names a real machine."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

import pytest

from tests import recorded

MACHINES = sorted(path.name for path in recorded.MACHINES.iterdir() if path.is_dir())
FILES = sorted(path for path in recorded.MACHINES.rglob("*") if path.is_file() and path.name != "README.md")

INVENTED = re.compile(r"TEST\d{3,}|7E57\d{4,}|7e570000-0000-4000-8000-\d{12}|VMware-54 45 53 54[ 0-]+1", re.IGNORECASE)
# what makers leave in place of a serial number or an asset tag
PLACEHOLDER = re.compile(
    r"\W*|0+h?|not (specified|available|provided)|unknown|none|no dimm|no asset tag|to be filled by o\.e\.m\.|"
    r"asset_?tag(num)?\d*|sernum\d+|.*_assettag( \(date:\d\d/\d\d\))?|02:00:00(:[0-9a-f]{2}){3}",
    re.IGNORECASE,
)
FIELD = re.compile(
    r"""(?<![a-z0-9])(?:serial(?:[ _]?number)?|asset[ _]tag|service[ _]tag|_serial|_asset_tag|/serial)["']?"""
    r"""[ \t]*(?:[:=>])[ \t]*["']?([^"'<\n]*)""",
    re.IGNORECASE,
)
MAC = re.compile(r"(?<![0-9a-f:-])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![0-9a-f:-])", re.IGNORECASE)
UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
WWN = re.compile(r"\b(?:naa\.|eui\.|0x5)([0-9a-f]{15,32})\b", re.IGNORECASE)
WWN_ID = re.compile(r'"(?:id|ext_id)": (\d{8,})')
ADDRESS = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
ADDRESS_FIELD = re.compile(r"(?:\baddr|\bip\b|mgmt-ip|gateway|IP Address +:)", re.IGNORECASE)
HOST = re.compile(r"\b[\w-]+\.(?:com|net|org|edu|gov|local|lan|internal|corp)\b", re.IGNORECASE)
PERSON = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")


def foreign(text: str) -> list[str]:
    """What of a text could name a real machine, host or person."""
    found = [
        value.strip()
        for value in FIELD.findall(text)
        if not PLACEHOLDER.fullmatch(value.strip())
        and not all(INVENTED.fullmatch(part) for part in value.strip(" .").split("."))
    ]
    found += [
        value for value in MAC.findall(text) if not value.lower().startswith(("02:00:00", "02-00-00", "00:00:00"))
    ]
    found += [value for value in UUID.findall(text) if not INVENTED.fullmatch(value)]
    found += [value for value in WWN.findall(text) if "7e57" not in value.lower()]
    found += [value for value in WWN_ID.findall(text) if not f"{int(value):x}".startswith("7e57")]
    for line in text.splitlines():
        if ADDRESS_FIELD.search(line) and "mask" not in line.lower():
            found += [value for value in ADDRESS.findall(line) if not _reserved(value)]
    return found + HOST.findall(text) + PERSON.findall(text)


def _reserved(value: str) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network("192.0.2.0/24") or value == "0.0.0.0"
    except ValueError:
        return True  # a version


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(recorded.MACHINES)))
def test_a_recorded_file_is_small_and_names_no_real_machine(path: Path) -> None:
    assert path.stat().st_size < 200_000
    assert foreign(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "\tSerial Number: CZ34X0AB12",
        "\tAsset Tag: 004711",
        '"serial_number": "S4NENX0M812345"',
        "/sys/class/nvme/nvme0/serial = S4NENX0M812345",
        "/sys/class/dmi/id/product_serial = 1ABCD23",
        "<serial>1ABCD23</serial>",
        " Board Serial          : CN1234567890AB",
        "link/ether 3c:fd:fe:a1:b2:c3",
        "MAC 3C-FD-FE-A1-B2-C3",
        "UUID: 4c4c4544-0031-4210-8043-b1c04f4c3132",
        "naa.5000cca2531a2b3c",
        '"wwn": {"naa": 5, "oui": 3274, "id": 5185903164}',
        "IP Address              : 10.12.14.16",
        "db-17.example-company.com",
        "jane.doe@example.org",
    ],
)
def test_what_names_a_real_machine_is_found(text: str) -> None:
    assert foreign(text) != []


def test_all_kinds_of_machines_are_recorded() -> None:
    assert len(MACHINES) >= 12
    assert {name.partition("-")[0] for name in MACHINES} >= {"dell", "hp", "hpe", "supermicro", "quanta", "huawei"}
    listed = (recorded.MACHINES / "README.md").read_text(encoding="utf-8")
    assert [name for name in MACHINES if name not in listed] == []


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_can_be_loaded(name: str, tmp_path: Path) -> None:
    machine = recorded.named(name, tmp_path)
    tools = [path for path in (recorded.MACHINES / name / "tools").iterdir() if path.suffix != ".status"]
    for path in tools:
        assert recorded.name(recorded.argv(path.name)) == path.name
        assert machine.run(recorded.argv(path.name)).stdout
    for address in machine.glob("/sys/bus/pci/devices/*"):
        assert re.fullmatch(r"0x[0-9a-f]{4}\n", machine.read(f"{address}/vendor") or "")
        assert (machine.link(address) or "").startswith("/sys/devices/pci")


def test_a_listing_is_laid_out_as_the_machine_had_it(tmp_path: Path) -> None:
    (tmp_path / "files.txt").write_text("/sys/a/b = 1\n/proc/c = x = y\n/proc/c =\n/proc/c = z\n/sys/l -> a/b\n")
    recorded.unpack(tmp_path / "files.txt", tmp_path / "root")
    assert (tmp_path / "root/proc/c").read_text() == "x = y\n\nz\n"
    assert (tmp_path / "root/sys/l").read_text() == "1\n"


@pytest.mark.parametrize("line", ["no path = 1", "/sys/a", "/../a = 1", "/sys/../../a = 1", "/sys/a =1"])
def test_a_listing_that_is_none_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "files.txt").write_text(f"{line}\n")
    with pytest.raises(ValueError, match=r"files\.txt: line 1: "):
        recorded.unpack(tmp_path / "files.txt", tmp_path / "root")
    assert not (tmp_path / "a").exists()
