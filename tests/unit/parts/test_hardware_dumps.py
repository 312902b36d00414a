"""Dumps of machines: their formats, and files that are not dumps."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest

from alchemy.errors import UserError
from alchemy.parts.hardware import dumps
from alchemy.parts.hardware.malformed import MalformedError

LSPCI = """\
00:00.0 Host bridge [0600]: Intel Corporation Device [8086:2020] (rev 04)
00:17.0 SATA controller [0106]: Intel Corporation C620 SATA [AHCI mode] [8086:a182] (rev 09) (prog-if 01 [AHCI 1.0])
\tSubsystem: Super Micro Computer Inc Device [15d9:096e]
\tKernel driver in use: ahci
\tKernel modules: ahci
0001:3b:00.1 Ethernet controller [0200]: Mellanox Technologies MT2892 Family [ConnectX-6 Dx] [15b3:101d]
"""

XML = """\
<?xml version="1.0" standalone="yes" ?>
<list>
<node id="server" class="system" handle="DMI:0001">
 <node id="network:0" claimed="true" class="network" handle="PCI:0000:02:00.0">
  <description>Ethernet interface</description>
  <product>NetXtreme BCM5720 [14E4:165F]</product>
  <vendor>Broadcom [14E4]</vendor>
  <configuration><setting id="driver" value="tg3" /></configuration>
 </node>
 <node id="sata" class="storage" handle="PCI:0000:00:1f.2">
  <description>Contr\u00f4leur SATA</description>
  <product>6 Series [8086:1C03]</product>
  <capabilities><capability id="ahci_1.0" >AHCI</capability></capabilities>
  <node id="disk" class="disk" handle="SCSI:00:00:00:00"><product>[8086:1C03]</product></node>
 </node>
 <node id="nic" class="network" handle="PCI:0000:03:00.0"><description>Interface</description></node>
</node>
</list>
"""

NODES = {
    "id": "server", "class": "system", "children": [
        {"id": "raid", "class": "storage", "handle": "PCI:0000:18:00.0", "description": "RAID bus controller",
         "product": "MegaRAID [1000:10E2]", "vendor": "Broadcom [1000]", "configuration": {"driver": "megaraid_sas"},
         "children": [{"id": "disk", "class": "disk", "handle": "SCSI:00:00:00:00"}]},
        {"id": "nvme", "class": "storage", "handle": "PCI:0000:19:00.0", "description": "NVMe device",
         "product": "[144D:A80A]", "capabilities": {"nvm_express": True}},
    ],
}  # fmt: skip

UDEV = """\
P: /devices/pci0000:00/0000:00:1f.6
E: DEVPATH=/devices/pci0000:00/0000:00:1f.6
E: DRIVER=e1000e
E: MODALIAS=pci:v00008086d000015BBsv000015D9sd000015BBbc02sc00i00
E: PCI_SLOT_NAME=0000:00:1f.6
E: SUBSYSTEM=pci
E: ID_MODEL_FROM_DATABASE=Ethernet Connection

P: /devices/pci0000:00/0000:00:1f.6/net/eth0
E: SUBSYSTEM=net

P: /devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0
E: DEVPATH=/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0
E: MODALIAS=usb:v03F0p2927d0000dc00dsc00dp00ic02isc0Cip07in00
E: SUBSYSTEM=usb

P: /devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0
E: MODALIAS=usb:v0557p2419d0100dc00dsc00dp00ic03isc01ip01in00
E: SUBSYSTEM=usb
"""

HWLOC = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE topology SYSTEM "hwloc2.dtd">
<topology version="2.0"><object type="Machine"><object type="Bridge" bridge_type="0-1">
<object type="PCIDev" pci_busid="0000:81:00.0" pci_type="0207 [15b3:101b] [15b3:0006] 00" pci_link_speed="15.7">
<info name="PCIVendor" value="Mellanox"/><info name="PCIDevice" value="ConnectX-6"/></object>
</object></object></topology>
"""

MODALIASES = (
    "pci:v00008086d00001533sv*sd*bc02sc00i00\nacpi:PNP0C0C:\nusb:v03F0p2927d0000dc00dsc00dp00ic02isc0Cip07in00\n"
)

INVENTORY = {
    "inventory": {},
    "alchemy": {"schema": 1, "pci": [
        {"address": "0000:01:00.0", "class": "010802", "vendor": "144d", "device": "a80a",
         "subsystem_vendor": "144d", "subsystem_device": "a801", "driver": "nvme", "vendor_name": "Samsung"},
    ]},
}  # fmt: skip

# what is read: format, then role, ids and driver of each function
READ: dict[str, tuple[str | bytes, str, list[str]]] = {
    "lspci": (
        LSPCI, "lspci -nn",
        ["other 8086:2020 0000:00:00.0 -", "storage 8086:a182 0000:00:17.0 ahci", "NIC 15b3:101d 0001:3b:00.1 -"],
    ),
    "lspci without a newline at its end": (
        LSPCI.rstrip(), "lspci -nn",
        ["other 8086:2020 0000:00:00.0 -", "storage 8086:a182 0000:00:17.0 ahci", "NIC 15b3:101d 0001:3b:00.1 -"],
    ),
    "lspci below a prompt": (
        "# lspci -nn\n" + LSPCI.splitlines()[0], "lspci -nn", ["other 8086:2020 0000:00:00.0 -"],
    ),
    "lspci -n": ("00:03.0 0200: 8086:10ed (rev 01)\n", "lspci -nn", ["NIC 8086:10ed 0000:00:03.0 -"]),
    "lspci that cuts a name with its ids": (
        "1f:0f.2 System peripheral [0880]: Intel Corporation Target Address Decoder Registers [808... (rev 04)\n",
        "lspci -nn", ["other ????:???? 0000:1f:0f.2 -"],
    ),
    "lshw -class -json, objects without a list": (
        f"{json.dumps(NODES['children'][0])}   {json.dumps(NODES['children'][1])},\n", "lshw",
        ["storage 1000:10e2 0000:18:00.0 megaraid_sas", "storage 144d:a80a 0000:19:00.0 -"],
    ),
    "CRLF": (
        LSPCI.replace("\n", "\r\n"), "lspci -nn",
        ["other 8086:2020 0000:00:00.0 -", "storage 8086:a182 0000:00:17.0 ahci", "NIC 15b3:101d 0001:3b:00.1 -"],
    ),
    "UTF-16, as PowerShell writes it": (
        LSPCI.splitlines()[0].encode("utf-16"), "lspci -nn", ["other 8086:2020 0000:00:00.0 -"],
    ),
    "a byte order mark": (LSPCI.splitlines()[0].encode("utf-8-sig"), "lspci -nn", ["other 8086:2020 0000:00:00.0 -"]),
    "lshw -xml in French": (
        XML, "lshw",
        ["NIC 14e4:165f 0000:02:00.0 tg3", "storage 8086:1c03 0000:00:1f.2 -", "NIC ????:???? 0000:03:00.0 -"],
    ),
    "lshw -xml in Latin-1": (
        XML.encode("latin-1"), "lshw",
        ["NIC 14e4:165f 0000:02:00.0 tg3", "storage 8086:1c03 0000:00:1f.2 -", "NIC ????:???? 0000:03:00.0 -"],
    ),
    "lshw -xml with warnings around it": (
        f"WARNING: you should run this program as super-user.\n{XML}WARNING: output may be incomplete or inaccurate.\n",
        "lshw",
        ["NIC 14e4:165f 0000:02:00.0 tg3", "storage 8086:1c03 0000:00:1f.2 -", "NIC ????:???? 0000:03:00.0 -"],
    ),
    "lshw -json": (
        json.dumps(NODES), "lshw",
        ["storage 1000:10e2 0000:18:00.0 megaraid_sas", "storage 144d:a80a 0000:19:00.0 -"],
    ),
    "lshw -json, a list": (
        json.dumps([NODES]), "lshw",
        ["storage 1000:10e2 0000:18:00.0 megaraid_sas", "storage 144d:a80a 0000:19:00.0 -"],
    ),
    "udevadm info -e": (
        UDEV, "udevadm info -e",
        ["NIC 8086:15bb 0000:00:1f.6 e1000e", "NIC 03f0:2927 1-1:1.0 -"],
    ),
    "hwloc": (HWLOC, "hwloc", ["NIC 15b3:101b 0000:81:00.0 -"]),
    "modaliases": (MODALIASES, "modalias", ["NIC 8086:1533  -", "NIC 03f0:2927  -"]),
    "an inventory": (json.dumps(INVENTORY), "inventory", ["storage 144d:a80a 0000:01:00.0 nvme"]),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_a_dump_is_read_whatever_its_format(case: str) -> None:
    content, kind, functions = READ[case]
    found, read = dumps.parse(content.encode() if isinstance(content, str) else content)
    assert found == kind
    assert [f"{one.role} {one.identity} {one.address} {one.driver or '-'}" for one in read] == functions


BOMB = '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><list>&b;</list>'

REFUSED: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", "empty"),
    "blanks": (" \n\n", "empty"),
    "prose": ("the server has two ports\n", "not a dump of a known format"),
    "a page": ("<!DOCTYPE html>\n<html><pre>" + LSPCI, "an HTML page, not the dump itself"),
    "a page in capitals": ("<HTML>" + LSPCI, "an HTML page, not the dump itself"),
    "bytes": (b"\x7fELF\0\0\0\0", "binary, not text"),
    "UTF-16 that is cut": (b"\xff\xfe0\x000", "truncated UTF-16"),
    "UTF-16 without its mark": (LSPCI.encode("utf-16-le"), "binary, not text"),
    "lspci without ids": (
        "00:17.0 SATA controller: Intel Corporation C620\n00:18.0 x\n",
        "a function without ids: 00:17.0 SATA controller: Intel Corporation C620",
    ),
    "lspci that is cut": (LSPCI[:-12], "truncated in its last line"),
    "lshw -xml that is cut": (XML[:400], "truncated XML"),
    "XML that is wrong": (XML.replace("</description>", "</product>"), "line 5: not well-formed XML"),
    "XML of something else": ("<domain/>", "XML of something else (expected lshw's or hwloc's, got <domain>)"),
    "entities": (BOMB, "XML with entities, which no tool writes"),
    "lshw -json that is cut": (json.dumps(NODES)[:-30], "truncated JSON"),
    "JSON that is cut in a string": (json.dumps(NODES)[:50], "truncated JSON"),
    "JSON that is wrong": ('{"id": server}', "line 1: not JSON"),
    "JSON that is deep": ("[" * 200_000, "JSON nested too deeply"),
    "JSON with a number of a million digits": (f'{{"a": {"1" * 1_000_000}}}', "JSON with a number that is too long"),
    "warnings alone": ("WARNING: you should run this program as super-user.\n" * 3, "empty"),
    "JSON of something else": ('{"a": 1}', "no PCI function in it (read as lshw)"),
    "an inventory that is wrong": (
        '{"alchemy": {"pci": [{"address": 1}]}}', "alchemy.pci: not a list of functions as alchemy-inventory writes it",
    ),
    "an inventory of numbers": (
        '{"alchemy": {"pci": 1}}', "alchemy.pci: not a list of functions as alchemy-inventory writes it",
    ),
    "a modalias that is cut": ("pci:v00008086d00001533sv", "truncated modalias: pci:v00008086d00001533sv"),
    "modaliases of other buses": ("acpi:PNP0C0C:\n", "no PCI function in it (read as modalias)"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_dump_is_refused_with_the_reason(tmp_path: Path, case: str) -> None:
    content, message = REFUSED[case]
    file = tmp_path / "dump"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UserError) as failed:
        dumps.read([file])
    assert failed.value.message == f"{file}: {message}"


def test_only_the_beginning_of_a_large_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "dump"
    with file.open("wb") as sparse:
        sparse.truncate(100 << 20)
    with pytest.raises(UserError, match=r"dump: too large \(expected at most 32 MB\)"):
        dumps.read([file])


def test_a_folder_is_a_machine_for_each_file(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", ".hidden"):
        (tmp_path / name).write_text(MODALIASES, encoding="utf-8")
    assert [(dump.name, dump.format) for dump in dumps.read([tmp_path])] == [("a", "modalias"), ("b", "modalias")]


def test_a_folder_of_two_formats_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(MODALIASES, encoding="utf-8")
    (tmp_path / "b.txt").write_text(LSPCI, encoding="utf-8")
    with pytest.raises(UserError, match=r"several formats \(expected one: b.txt is lspci -nn, a.txt is modalias\)"):
        dumps.read([tmp_path])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Path.mkdir, "empty folder (expected dumps)"),
        (lambda path: None, "no such file or folder"),
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    ],
    ids=["empty", "absent", "device"],
)
def test_a_path_that_leads_to_no_dump_is_refused(tmp_path: Path, make: object, message: str) -> None:
    assert callable(make)
    make(tmp_path / "dump")
    with pytest.raises(UserError) as failed:
        dumps.read([tmp_path / "dump"])
    assert failed.value.message == f"{tmp_path / 'dump'}: {message}"


def test_a_dump_that_is_cut_anywhere_is_read_or_refused() -> None:
    for content in (LSPCI, XML, json.dumps(NODES), UDEV, HWLOC, MODALIASES, json.dumps(INVENTORY)):
        for length in range(len(content)):
            with suppress(MalformedError):
                assert dumps.parse(content[:length].encode())[1]
