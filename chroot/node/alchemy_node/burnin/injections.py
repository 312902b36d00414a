"""Faults that are injected into the programs of the steps: a flipped byte, an error of their own, a broken disk."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from alchemy_node import processes
from alchemy_node.burnin.activity import Activity, Outcome, Pause, Program, ask
from alchemy_node.burnin.parts import Part
from alchemy_node.burnin.step import Disk
from alchemy_node.burnin.steps import cpu as cpu_step
from alchemy_node.burnin.steps import disks as disks_step
from alchemy_node.burnin.steps import memory as memory_step
from alchemy_node.processes import Output

MIB = 1 << 20

_SECONDS = 8
_DISK = 24 * MIB
_PART = Part("the part under self-test")
_SECTOR = 512
# the sector that a fault is put into: past the first blocks, in the middle of one of 1 MiB
_BAD = 8 * MIB // _SECTOR + 5
_MAPPED = 32 * MIB
_PROCESS = "stress-ng-vm"
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw-[ps] ")
_NAME = "alchemy-self-test"


class NotInjectedError(Exception):
    """A fault that could not be injected here; the message is the reason."""


def memory(_: Path) -> Activity[Outcome]:
    """Has stressapptest find the error that it injects itself."""
    output = _require((yield memory_step.stressapptest(32 * MIB, 1, 3, force=True)))
    return memory_step.judge_stressapptest("memory", _PART, output)


def cpu(_: Path) -> Activity[Outcome]:
    """Runs a stressor whose data `flip` changes under it: its result is wrong, and it has to say so."""
    argv = ("stress-ng", "--vm", "1", "--vm-bytes", f"{_MAPPED // MIB}m", "--vm-method", "zero-one", "--vm-keep")
    options = ("--verify", "--metrics", "--timeout", f"{_SECONDS}s", "--temp-path", "/tmp")  # noqa: S108 - its own folder
    output = _require((yield Program((*argv, *options), _SECONDS * 4, memory=256 * MIB)))
    return cpu_step.judge("the CPU", _PART, output, None)


def flip() -> Activity[None]:
    """Flips bytes in the memory of the stressor that a child of this process has started."""
    for turn in range(_SECONDS * 50):
        for pid in _descendants():
            _flip(pid, turn * 7919 * 8)
        yield Pause(0.02)


def corrupted_disk(folder: Path) -> Activity[Outcome]:
    """Writes a disk in RAM, flips a byte of it, and verifies it."""
    disk = yield from _disk(folder)
    try:
        _require((yield disks_step.fio(disk, "write", _DISK, _SECONDS)))
        _corrupt(disk.device)
        output = yield disks_step.fio(disk, "verify", _DISK, _SECONDS)
        return disks_step.judge("verifying it", _PART, output, "read", None)
    finally:
        processes.run(["losetup", "--detach", disk.device])


def unreadable_disk(folder: Path) -> Activity[Outcome]:
    """Reads a disk in RAM with a sector that the device mapper has no data for."""
    disk = yield from _disk(folder)
    try:
        end = _DISK // _SECTOR
        table = (
            f"0 {_BAD} linear {disk.device} 0\n{_BAD} 1 error\n"
            f"{_BAD + 1} {end - _BAD - 1} linear {disk.device} {_BAD + 1}\n"
        )
        (folder / "table").write_text(table, encoding="ascii")
        made = yield ask("dmsetup", "create", "--readonly", _NAME, str(folder / "table"))
        if made.status != 0:
            raise NotInjectedError(f"dmsetup: {made.problem}: {made.stderr.strip()[:200]}")
        try:
            output = _require(
                (yield disks_step.fio(Disk(_NAME, f"/dev/mapper/{_NAME}", _DISK), "read", _DISK, _SECONDS))
            )
            return disks_step.judge("reading it", _PART, output, "read", None)
        finally:
            processes.run(["dmsetup", "remove", "--retry", _NAME])
    finally:
        processes.run(["losetup", "--detach", disk.device])


def _disk(folder: Path) -> Activity[Disk]:
    """Returns a disk in RAM: a loop device of a file there."""
    with (folder / "disk").open("wb") as file:
        file.truncate(_DISK)
    output = yield ask("losetup", "--find", "--show", str(folder / "disk"))
    device = output.stdout.strip()
    if output.status != 0 or not re.fullmatch(r"/dev/loop[0-9]+", device):
        raise NotInjectedError(f"losetup: {output.problem}: {output.stderr.strip()[:200]}")
    return Disk(device.removeprefix("/dev/"), device, _DISK)


def _corrupt(device: str) -> None:
    descriptor = os.open(device, os.O_RDWR | os.O_SYNC | os.O_CLOEXEC)
    try:
        sector = bytearray(os.pread(descriptor, _SECTOR, _BAD * _SECTOR))
        sector[5] ^= 1
        os.pwrite(descriptor, bytes(sector), _BAD * _SECTOR)
    finally:
        os.close(descriptor)


def _require(output: Output) -> Output:
    """Returns the output of a program that ran. Raises NotInjectedError for one that is not there."""
    if output.problem == "not installed":
        raise NotInjectedError("the program of the step is not installed")
    return output


def _descendants() -> Iterator[int]:
    """Yields the stressors that were started, through whatever programs, by this process."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "comm").read_text(encoding="utf-8", errors="replace").strip() == _PROCESS and _is_ours(folder):
                yield int(folder.name)
        except OSError:
            continue


def _is_ours(folder: Path) -> bool:
    for _ in range(16):
        found = re.search(r"^PPid:\s+(\d+)$", (folder / "status").read_text(encoding="utf-8"), re.MULTILINE)
        if found is None or found[1] in ("0", "1"):
            return False
        if int(found[1]) == os.getpid():
            return True
        folder = Path("/proc") / found[1]
    return False


def _flip(pid: int, place: int) -> None:
    """Flips a bit of a process's largest mapping; one that is gone by then is left."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")
        ranges = [(int(found[1], 16), int(found[2], 16)) for found in map(_MAPPING.match, maps.splitlines()) if found]
        start, end = max(ranges, key=lambda pair: pair[1] - pair[0])
        if end - start < _MAPPED:
            return
        with Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as file:
            file.seek(start + place % (end - start))
            byte = file.read(1)
            file.seek(start + place % (end - start))
            file.write(bytes([byte[0] ^ 0x10]))
    except (OSError, ValueError, IndexError):
        return
