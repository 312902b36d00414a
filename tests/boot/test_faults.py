"""A fault each, injected into a machine while the burn-in runs: the run fails, and names the part."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from alchemy.context import Context
from tests.boot import faults, guest
from tests.boot.faults import BurnIn
from tests.boot.guest import Guest

IERR = "0x04 0x07 0x01 0x6f 0x00 0xff 0xff # Processor, IERR"
# verdict → what its message says
EVIDENCE = {
    "dimm-ce": "replace DIMM DIMM_A 0, serial TESTDIMM: corrected memory error",
    "pcie-uncorrected": "uncorrected PCIe error on PCI device 0000:00:02.0",
    "disk-critical-warning": ", serial TESTNVME: it is unreliable",
    "bmc-event": "Processor #0x01 | IERR",
    "link-flap": "transceiver of NIC eth1",
}


@dataclass(frozen=True)
class Machine:
    """The machine of these tests; `folder` has the images of its disks, `precious` is one with data."""

    node: Guest
    folder: Path
    precious: str


@pytest.fixture(scope="module")
def machine(image: Context, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("faults")
    shutil.copy(key.with_suffix(".pub"), folder / "keys")
    options = [*faults.port(), *faults.memory(), *faults.bmc()]
    for serial in ("TESTNVME", "TESTEXT4"):
        options += faults.nvme(serial, folder / serial)
    options += faults.unreadable_disk("TESTBAD", folder / "TESTBAD")
    log = image.logfile("boot-faults")
    with (
        guest.serve_folder(folder) as url,
        guest.boot(image, log, key, f"ssh_keys_url={url}/keys", memory=faults.MEMORY, extra=options) as node,
    ):
        node.expect(guest.HAND_OVER)
        node.wait_for_ssh()
        # the kernel numbers the controllers in the order in which they answer
        found = node.ssh("grep -lw TESTEXT4 /sys/class/nvme/nvme*/serial")
        disk = f"/dev/{Path(found).parent.name}n1"
        node.ssh(f"sudo -n mke2fs -q -t ext4 {disk} && sync")
        yield Machine(node, folder, disk)


@pytest.fixture(scope="module")
def evidence(machine: Machine) -> list[dict[str, Any]]:
    """The record of a run during which the log's disk was full, and every fault of EVIDENCE happened."""
    node = machine.node
    node.ssh("sudo -n mkdir -p /var/log/alchemy && sudo -n mount -t tmpfs -o size=4m tmpfs /var/log/alchemy")
    run = BurnIn(node, faults.ENDLESS)
    run.wait_for_samples()
    node.ssh("sudo -n sh -c 'cat /dev/zero >/var/log/alchemy/filler; df /var/log/alchemy' 2>&1")
    node.monitor("mce 0 5 0x8c0000400000009f 0 0x12345000 0x8c")
    node.monitor("pcie_aer_inject_error root 0x4000")
    node.monitor("qom-set /machine/peripheral/testnvme smart_critical_warning 4")
    node.monitor("set_link flap off")
    node.ssh(f"echo '{IERR}' >/tmp/sel && sudo -n ipmitool sel add /tmp/sel")
    run.wait_for(*EVIDENCE.values())
    node.monitor("set_link flap on")
    node.monitor("qom-set /machine/peripheral/testnvme smart_critical_warning 0")
    node.ssh("sudo -n rm /var/log/alchemy/filler")
    guest.wait_for(lambda: "has room again" in run.record(), "room for the log")
    run.send("INT")
    assert run.status() == 1
    assert node.ssh("cat /run/alchemy/verdict").strip() == "FAIL"
    lines = run.lines()
    node.ssh("sudo -n umount /var/log/alchemy")
    return lines


@pytest.mark.parametrize(("verdict", "message"), EVIDENCE.items())
def test_a_fault_fails_the_run_and_names_the_part(evidence: list[dict[str, Any]], verdict: str, message: str) -> None:
    assert message in faults.diagnoses(evidence)[verdict]


def test_a_full_disk_of_logs_costs_no_finding_and_is_told(evidence: list[dict[str, Any]]) -> None:
    said = faults.messages(evidence)
    assert "the disk with the log is full: the run goes on" in said
    assert "the disk with the log has room again; measurements lost: 0" in said


def test_bad_disks_are_named_and_a_disk_with_data_is_left_as_it_is(machine: Machine) -> None:
    before = {name: digest(machine.folder / name) for name in ("TESTEXT4", "TESTBAD")}
    with corrupting(machine.folder / "TESTNVME"):
        run = BurnIn(machine.node, "--only disks --disks blank --time 60s")
        assert run.status() == 1
    failed = faults.diagnoses(run.lines())
    assert ", serial TESTNVME: verifying /dev/nvme" in failed["disk-miscompare"]
    assert "replace disk vda, serial TESTBAD: reading /dev/vda" in failed["disk-error"]
    assert "replace disk vda, serial TESTBAD: I/O error" in failed["disk-io-error"]
    assert "TESTEXT4" not in "".join(failed.values())
    assert f"{machine.precious} is only read: it has a signature" in run.output()
    assert {name: digest(machine.folder / name) for name in before} == before
    assert digest(machine.folder / "TESTNVME") != hashlib.sha256(bytes(faults.DISK_BYTES)).hexdigest()


@pytest.mark.exhaustive
def test_a_flipped_bit_of_the_memory_fails_the_run_and_names_the_dimm(machine: Machine) -> None:
    run = BurnIn(machine.node, "--only memory --time 30s")
    run.wait_for("step memory: RUNNING")
    guest.wait_for(lambda: faults.flip_memory(machine.node) >= 8, "test patterns in memory")
    assert run.status() == 1
    failed = faults.diagnoses(run.lines())
    assert failed["memory-miscompare"].startswith("replace DIMM DIMM_A 0, serial TESTDIMM: memory ")
    assert " lost what was written " in failed["memory-miscompare"]


@pytest.mark.exhaustive
def test_a_killed_supervisor_is_told_and_the_run_can_go_on(machine: Machine) -> None:
    node = machine.node
    run = BurnIn(node, "--only cpu --time 20s")
    run.wait_for("step cpu: RUNNING")
    run.send("KILL")
    assert run.status() == 137
    guest.wait_for(lambda: node.try_ssh("pgrep stress-ng")[0] == 1, "end of what the supervisor had started")
    status, said = node.try_ssh("sudo -n alchemy-burnin status")
    assert status == 3
    assert "No supervisor is running: the run was interrupted." in said
    run = BurnIn(node, "--resume")
    assert run.status() == 0
    lines = run.lines()
    assert "the run goes on: the supervisor ended" in faults.messages(lines)
    assert faults.diagnoses(lines) == {}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def corrupting(image: Path) -> Iterator[None]:
    """Flips a bit in the last sector of a disk as soon as anything was written there."""
    stopping = threading.Event()

    def corrupt() -> None:
        with image.open("r+b", buffering=0) as file:
            while not stopping.wait(0.002):
                file.seek(faults.DISK_BYTES - 512)
                sector = bytearray(file.read(512))
                if any(sector):
                    sector[5] ^= 1
                    file.seek(faults.DISK_BYTES - 512)
                    file.write(sector)
                    return

    thread = threading.Thread(target=corrupt)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
