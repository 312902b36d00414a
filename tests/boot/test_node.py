"""The programs of the node in a booted machine: inventory, intake, the jobs of a boot, burn-in."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from alchemy.context import Context
from alchemy.testbed import qemu
from tests import collins_parsers, ocp, repository
from tests.boot import guest, lldp
from tests.boot.guest import Guest
from tests.boot.lldp import Switch
from tests.lib import tables

SCHEMA = repository.ROOT / "chroot/node/alchemy_node/inventory/schema.json"
DIMM = "type=17,loc_pfx=DIMM_A,bank=BANK 0,manufacturer=Alchemy,serial=TEST0001,asset=none,part=TEST-PART,speed=3200"
# the machine of these tests has a port without a neighbour, and one with a switch behind it
CASES = {
    "nothing": ((), "neighbour"),
    "complete": (lldp.COMPLETE, ""),
    "a VLAN with its name": ((*lldp.COMPLETE, lldp.PVID, lldp.VLAN_NAME), ""),
    "a VLAN without a name": ((*lldp.COMPLETE, lldp.PVID), ""),
    "LLDP-MED": ((*lldp.COMPLETE, lldp.MED_CAPABILITIES, lldp.MED_POLICY), ""),
    "only what is mandatory": (lldp.MINIMAL, "name"),
}


def machine(folder: Path, port: int) -> list[str]:
    """Returns QEMU's options for two NVMe disks, one DIMM, a BMC, and a network port behind which a switch sends."""
    options = ["-device", "ipmi-bmc-sim,id=bmc", "-device", "isa-ipmi-kcs,bmc=bmc", "-smbios", DIMM]
    options += ["-global", "virtio-net-pci.speed=10000", "-global", "virtio-net-pci.duplex=full"]
    options += ["-netdev", f"socket,id=switch,udp=127.0.0.1:{qemu.free_port()},localaddr=127.0.0.1:{port}"]
    options += ["-device", "e1000e,netdev=switch,romfile="]
    for number in range(2):
        disk = folder / f"nvme{number}"
        with disk.open("wb") as file:
            file.truncate(64 << 20)
        options += ["-drive", f"if=none,id=nvme{number},format=raw,file={disk}"]
        options += ["-device", f"nvme,drive=nvme{number},serial=TESTNVME{number}"]
    return options


@pytest.fixture(scope="module")
def switch() -> Iterator[Switch]:
    with lldp.switch(qemu.free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def node(image: Context, key: Path, switch: Switch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    folder = tmp_path_factory.mktemp("node")
    shutil.copy(key.with_suffix(".pub"), folder / "keys")
    options = machine(folder, switch.port)
    with (
        guest.serve_folder(folder) as url,
        guest.boot(
            image, image.logfile("boot-node"), key, f"ssh_keys_url={url}/keys job=inventory", memory=1024, extra=options
        ) as booted,
    ):
        booted.expect(guest.HAND_OVER)
        booted.wait_for_ssh()
        yield booted


@pytest.fixture(scope="module")
def document(node: Guest) -> Any:
    return json.loads(node.ssh("sudo -n alchemy-inventory --json"))


def test_the_document_is_as_the_schema_says(document: Any) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert [error.message for error in Draft202012Validator(schema).iter_errors(document)] == []


def test_the_document_holds_what_the_machine_has_and_nothing_else(document: Any) -> None:
    assert sorted(disk["serial"] for disk in document["inventory"]["disks"]) == ["TESTNVME0", "TESTNVME1"]
    assert [dimm["serial"] for dimm in document["alchemy"]["dimms"]] == ["TEST0001"]
    assert sorted(nic["driver"] for nic in document["inventory"]["interfaces"]) == ["e1000e", "virtio_net"]
    assert document["alchemy"]["bmc"]


@pytest.mark.parametrize(("tlvs", "refusal"), tables.rows(CASES, "nothing", "complete", "only what is mandatory"))
def test_the_documents_for_collins_are_taken_or_refused_by_name(
    node: Guest, switch: Switch, tlvs: tuple[tuple[int, bytes], ...], refusal: str
) -> None:
    switch.frame = lldp.frame(tlvs) if tlvs else b""
    if tlvs:
        kinds = {4: "descr", 127: "vlan|med"}
        shown = "|".join(word for kind, word in kinds.items() if kind in dict(tlvs)) or "Ethernet1/7"
        guest.wait_for(
            lambda: re.search(shown, node.ssh("sudo -n lldpcli -f xml show neighbors details")) is not None, "neighbour"
        )
    status, output = node.try_ssh("sudo -n alchemy-inventory --collins /tmp/collins")
    assert (status == 0) == (not refusal), output
    assert refusal in output
    hardware = collins_parsers.lshw(node.ssh("sudo -n cat /tmp/collins/lshw.xml"), collins_parsers.Settings())
    assert (len(hardware.disks), len(hardware.memory), len(hardware.nics)) == (2, 1, 2)
    if not refusal:
        collins_parsers.lldp(node.ssh("sudo -n cat /tmp/collins/lldp.xml"), collins_parsers.Settings())


# the job waits a minute for a neighbour on each port, during which the tests above run
def test_a_job_of_the_command_line_leaves_its_verdict_on_the_console_and_above_the_login(node: Guest) -> None:
    said = node.expect(r"jobs: inventory (PASS|FAIL)\s")[1]
    guest.wait_for(lambda: node.ssh("cat /run/alchemy/verdict").strip() == said, f"verdict {said}")
    assert f"inventory {said}" in node.ssh("cat /etc/issue")
    assert node.ssh("sudo -n cat /var/log/alchemy/inventory.log")


@pytest.mark.exhaustive
def test_a_quick_burn_in_of_a_good_machine_passes(node: Guest) -> None:
    status, output = node.try_ssh("sudo -n alchemy-burnin --profile quick --scale 0.02", 600)
    assert status == 0, output
    lines = node.ssh("sudo -n sh -c 'cat /var/log/alchemy/burnin/*/run.jsonl'")
    assert ocp.validate(lines)
    assert node.ssh("cat /run/alchemy/verdict").strip() == "PASS"


def test_each_step_of_the_burn_in_can_fail(node: Guest) -> None:
    status, output = node.try_ssh("sudo -n alchemy-burnin --self-test", 600)
    assert status == 0, output
