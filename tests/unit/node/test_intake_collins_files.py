"""alchemy-inventory --collins, as it is called."""

from __future__ import annotations

import io
from pathlib import Path

from alchemy_node.intake import pair
from alchemy_node.inventory import program
from alchemy_node.status import Status
from tests import collins_parsers, recorded
from tests.collins_parsers import Settings
from tests.unit.node import intake_xml as xml

# As QEMU has it: a NIC that names its speed, two NVMe drives, one DIMM.
FILES = {
    "proc/partitions": "major minor  #blocks  name\n\n 259 0 1024 nvme0n1\n 259 1 1024 nvme1n1\n",
    "sys/block/nvme0n1/size": "2048\n",
    "sys/block/nvme1n1/size": "2048\n",
    "sys/class/net/eth2/address": "02:00:00:00:00:03\n",
    "sys/class/net/eth2/carrier": "1\n",
    "sys/class/net/eth2/speed": "10000\n",
}
NVME = xml.NVME + xml.NVME.replace("hwmon0", "hwmon1").replace("0n1", "1n1")


def run(folder: Path, lldp: str) -> tuple[int, str]:
    root = folder / "root"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    port = root / "sys/devices/pci0000:00/0000:00:04.0"
    port.mkdir(parents=True)
    (root / "sys/class/net/eth2/device").symlink_to("../../../devices/pci0000:00/0000:00:04.0")
    for disk in ("nvme0n1", "nvme1n1"):
        (root / "sys/block" / disk / "device").mkdir()
    tools = folder / "tools"
    tools.mkdir()
    nodes = xml.lshw(xml.CPU, xml.MEMORY, xml.VIRTIO_NIC, NVME)
    (tools / recorded.name(pair.LSHW)).write_text(nodes, encoding="utf-8")
    (tools / recorded.name(pair.LLDP)).write_text(lldp, encoding="utf-8")
    out = io.StringIO()
    status = program.main(["--collins", str(folder / "new")], recorded.machine(folder), out)
    return status, out.getvalue()


def test_the_pair_holds_one_nic_two_disks_and_one_dimm(tmp_path: Path) -> None:
    status, text = run(tmp_path, xml.lldp(xml.neighbor(more=xml.PVID)))
    assert (status, text.count("repair: ")) == (Status.PASS, 9)
    found = {name: (tmp_path / "new" / name).read_text(encoding="utf-8") for name in ("lshw.xml", "lldp.xml")}
    hardware = collins_parsers.lshw(found["lshw.xml"], Settings())
    assert hardware.nics == [(10**10, "02:00:00:00:00:03")]
    assert hardware.disks == [1048576, 1048576]
    assert hardware.memory == [(0, 1 << 30)]
    assert len(collins_parsers.lldp(found["lldp.xml"], Settings())) == 1


def test_what_collins_would_refuse_is_said_and_kept(tmp_path: Path) -> None:
    status, text = run(tmp_path, xml.lldp())
    assert status == Status.FAIL
    assert "error: lldp.xml: there is no LLDP neighbour on any port (LldpParser.scala:88)\nhint: " in text
    assert (tmp_path / "new" / "repairs.json").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("", encoding="utf-8")
    status, text = run(tmp_path, xml.lldp(xml.neighbor()))
    assert status == Status.USAGE
    assert text.startswith(f"error: --collins: {tmp_path}/new: ")
