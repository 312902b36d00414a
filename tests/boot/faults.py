"""A machine with a part for each fault, and burn-ins in it that a test disturbs."""

from __future__ import annotations

import json
import mmap
from pathlib import Path
from typing import Any

from tests import ocp
from tests.boot import guest
from tests.boot.guest import Guest

MEMORY = 1024
DIMM = "type=17,loc_pfx=DIMM_A,bank=BANK 0,manufacturer=Alchemy,serial=TESTDIMM,asset=none,part=TEST-PART,speed=3200"
DISK_BYTES = 64 << 20
BAD_SECTOR = 20481  # of 512 bytes; none of the places at which a disk is looked at for data

# a profile with one phase, a sample every 2 s, and none of the disks' own tests
PROFILE = """\
time = "15s"

[[phases]]
share = 1
steps = ["cpu", "memory", "disks"]

[options]
self_test = "none"
sample_seconds = 2
"""
# a run that only watches, and ends when it is interrupted
ENDLESS = "--only kernel,pcie,bmc --time 1h"

_PROFILE = "/tmp/one.toml"
_OUTPUT = "/tmp/burnin.out"
_STATUS = "/tmp/burnin.status"
_PAGE = 4096
_BLOCK = 16 * _PAGE


def memory() -> list[str]:
    """Returns QEMU's options for one DIMM, whose content this host can change (`flip_memory`)."""
    backend = f"memory-backend-memfd,id=ram,size={MEMORY}M,share=on"
    return ["-object", backend, "-machine", "memory-backend=ram", "-smbios", DIMM]


def bmc() -> list[str]:
    """Returns QEMU's options for a BMC."""
    return ["-device", "ipmi-bmc-sim,id=bmc", "-device", "isa-ipmi-kcs,bmc=bmc"]


def port(lanes: int = 1) -> list[str]:
    """Returns QEMU's options for a PCIe root port (`root`), and a network port with a link (`flap`) below it."""
    options = ["-device", f"pcie-root-port,id=root,chassis=1,slot=1,x-speed=2_5,x-width={lanes}"]
    return [*options, "-netdev", "hubport,id=cable,hubid=1", "-device", "e1000e,id=flap,netdev=cable,bus=root,romfile="]


def nvme(serial: str, image: Path) -> list[str]:
    """Returns QEMU's options for an NVMe disk; its id is the serial in lower case."""
    _make(image)
    identifier = serial.lower()
    drive = f"if=none,id=d-{identifier},format=raw,file={image}"
    return ["-drive", drive, "-device", f"nvme,id={identifier},drive=d-{identifier},serial={serial}"]


def unreadable_disk(serial: str, image: Path) -> list[str]:
    """Returns QEMU's options for a disk that has data and a sector that cannot be read."""
    _make(image)
    with image.open("r+b") as file:
        file.write(b"data")
    bad = {"event": "read_aio", "errno": 5, "sector": BAD_SECTOR}
    file_node = {"driver": "file", "filename": str(image)}
    broken = {"driver": "blkdebug", "image": file_node, "inject-error": [bad]}
    node = {"driver": "raw", "node-name": "broken", "file": broken}
    device = f"virtio-blk-pci,drive=broken,serial={serial},rerror=report,werror=report"
    return ["-blockdev", json.dumps(node), "-device", device]


def last_words(file: Path) -> list[str]:
    """Returns QEMU's options for firmware that keeps the last words of the kernel (ACPI ERST) in a file."""
    backend = f"memory-backend-file,id=erst,mem-path={file},size=64K,share=on"
    return ["-object", backend, "-device", "acpi-erst,memdev=erst"]


def _make(image: Path) -> None:
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)


class BurnIn:
    """A burn-in that runs in the guest, in the background."""

    def __init__(self, node: Guest, arguments: str) -> None:
        """Starts it."""
        self._node = node
        command = arguments if arguments == "--resume" else f"--profile {_PROFILE} {arguments}"
        run = f"alchemy-burnin {command} >{_OUTPUT} 2>&1; echo $? >{_STATUS}.new; mv {_STATUS}.new {_STATUS}"
        node.ssh(f"echo '{PROFILE}' >{_PROFILE}; sudo -n rm -f {_OUTPUT} {_STATUS}")
        node.ssh(f"sudo -n setsid sh -c '{run}' </dev/null >/dev/null 2>&1 &")

    def output(self) -> str:
        """Returns what it has printed so far."""
        return self._state()[0]

    def wait_for(self, *words: str) -> None:
        """Waits until it has printed all of the words. Fails when it doesn't."""

        def all_said() -> bool:
            said, ended = self._state()
            assert ended in ("", "0", "1", "3"), f"exit status {ended}:\n{said}"
            return all(word in said for word in words)

        guest.wait_for(all_said, f"{words} in the output")

    def wait_for_samples(self) -> None:
        """Waits until the evidence was sampled for the first time: what comes later is new."""
        guest.wait_for(lambda: "measurementSeriesElement" in self.record(), "first sample", 300)

    def send(self, signal: str) -> None:
        """Sends a signal to its supervisor: INT as by Ctrl-C, KILL."""
        self._node.ssh(f"sudo -n pkill -{signal} -o -f '^/usr/bin/python3 -I .*alchemy-burnin'")

    def status(self) -> int:
        """Waits until it has ended, and returns its exit status."""
        guest.wait_for(self.ended, "end of the burn-in")
        return int(self._state()[1])

    def ended(self) -> bool:
        """Tells whether it has ended."""
        return self._state()[1] != ""

    def ended_patiently(self) -> bool:
        """Tells whether it has ended, once the machine answers again: SSH gives up earlier than a full machine."""
        answers: list[str] = []

        def answered() -> bool:
            status, said = self._node.try_ssh(f"cat {_STATUS} 2>/dev/null || true")
            answers.append(said)
            return status == 0

        guest.wait_for(answered, "answer over SSH", 180)
        return answers[-1] != ""

    def record(self) -> str:
        """Returns the lines of the newest record."""
        return self._node.ssh('cat "$(ls -t /var/log/alchemy/burnin/*/run.jsonl | head -n 1)" 2>/dev/null || true')

    def lines(self) -> list[dict[str, Any]]:
        """Returns the record of the run, which has ended; each line is of the format."""
        return ocp.validate(self.record())

    def _state(self) -> tuple[str, str]:
        """Returns what it has printed, and its exit status; both are empty until there is something."""
        both = self._node.ssh(f'echo "$(cat {_STATUS} 2>/dev/null)"; cat {_OUTPUT} 2>/dev/null || true')
        status, _, said = both.partition("\n")
        return said, status


def diagnoses(lines: list[dict[str, Any]], kind: str = "FAIL") -> dict[str, str]:
    """Returns the messages of the diagnoses of a kind by their verdicts; those of one verdict are joined."""
    found: dict[str, str] = {}
    for line in lines:
        said = line.get("testStepArtifact", {}).get("diagnosis", {})
        if said.get("type") == kind:
            found[said["verdict"]] = f"{found.get(said['verdict'], '')}{said['message']}\n"
    return found


def messages(lines: list[dict[str, Any]]) -> str:
    """Returns the texts of all log entries and errors."""
    artifacts = [line.get("testRunArtifact") or line.get("testStepArtifact") or {} for line in lines]
    bodies = [artifact.get("log") or artifact.get("error") or {} for artifact in artifacts]
    return "\n".join(f"{body.get('symptom', '')} {body['message']}" for body in bodies if body)


def flip_memory(node: Guest) -> int:
    """Flips a bit in blocks of the guest's memory that hold a test pattern; returns in how many."""
    folder = Path(f"/proc/{node.console.pid}/fd")
    [backend] = [path for path in folder.iterdir() if "memfd:memory-backend" in str(path.readlink())]
    with backend.open("r+b") as file, mmap.mmap(file.fileno(), MEMORY << 20) as content:
        blocks = [place for place in range(0, MEMORY << 20, _BLOCK) if _is_pattern(content[place : place + _BLOCK])]
        chosen = blocks[:: max(1, len(blocks) // 32)]
        for place in chosen:
            content[place + 1234] ^= 0x10
    return len(chosen)


def _is_pattern(block: bytes) -> bool:
    """Tells whether memory holds a word of 32 bytes again and again, which is not of one byte."""
    return len(set(block[:32])) > 1 and block == block[:32] * (len(block) // 32)
