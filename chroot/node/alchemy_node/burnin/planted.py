"""Evidence that is planted where the burn-in looks for it: in files like those of /sys, and in what tools print."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from alchemy_node.burnin import bmc, evidence, kernel_lines, profile, smart
from alchemy_node.burnin.activity import Activity, Outcome, Pause, Program, T
from alchemy_node.burnin.injections import NotInjectedError
from alchemy_node.burnin.parts import Part, Parts
from alchemy_node.burnin.sample import Sample
from alchemy_node.burnin.watch import Watch
from alchemy_node.machine import Machine
from alchemy_node.processes import Output

_PORT = "sys/devices/pci0000:00/0000:00:01.0"
_CARD = f"{_PORT}/0000:01:00.0"
_NIC = "sys/class/net/eth0"
_CPU = "sys/devices/system/cpu/cpu0"
_DIMM = "sys/devices/system/edac/mc/mc0/dimm0"

# a machine that is well
_WELL: Mapping[str, str] = {
    f"{_DIMM}/dimm_label": "A1",
    f"{_DIMM}/dimm_ce_count": "0",
    f"{_DIMM}/dimm_ue_count": "0",
    "proc/interrupts": "MCE: 0 Machine check exceptions\n",
    f"{_CPU}/topology/physical_package_id": "0",
    f"{_CPU}/thermal_throttle/core_throttle_count": "0",
    f"{_PORT}/max_link_speed": "8.0 GT/s PCIe",
    f"{_PORT}/max_link_width": "8",
    f"{_CARD}/class": "0x020000",
    f"{_CARD}/current_link_speed": "8.0 GT/s PCIe",
    f"{_CARD}/current_link_width": "8",
    f"{_CARD}/max_link_speed": "8.0 GT/s PCIe",
    f"{_CARD}/max_link_width": "8",
    f"{_CARD}/aer_dev_fatal": "TOTAL_ERR_FATAL 0",
    f"{_NIC}/device/vendor": "0x8086",
    f"{_NIC}/carrier": "1",
    f"{_NIC}/speed": "10000",
    f"{_NIC}/carrier_down_count": "0",
    f"{_NIC}/statistics/rx_crc_errors": "0",
}

# (step, fault, verdict, file, its new content)
_FAULTS: tuple[tuple[str, str, str, str, str], ...] = (
    ("memory", "a corrected error of a DIMM", "dimm-ce", f"{_DIMM}/dimm_ce_count", "1"),
    ("memory", "an uncorrected error of a DIMM", "dimm-ue", f"{_DIMM}/dimm_ue_count", "1"),
    ("cpu", "a machine check", "machine-check", "proc/interrupts", "MCE: 1 Machine check exceptions\n"),
    ("cpu", "a CPU that is throttled", "throttled", f"{_CPU}/thermal_throttle/core_throttle_count", "1"),
    ("pcie", "a fatal error of a device", "pcie-fatal", f"{_CARD}/aer_dev_fatal", "TOTAL_ERR_FATAL 1"),
    ("network", "a frame with a wrong checksum", "nic-errors", f"{_NIC}/statistics/rx_crc_errors", "1"),
    ("network", "a link that went down and up", "link-flap", f"{_NIC}/carrier_down_count", "1"),
    ("network", "a link that got slower", "nic-speed", f"{_NIC}/speed", "1000"),
)

_PARTS = Parts({("dimm", "A1"): Part("DIMM A1")})
_EVENT = "ffff,01/01/2026,00:00:00,Processor CPU1,IERR,Asserted\n"
_LINE = "alchemy-burnin self-test: NETDEV WATCHDOG: none (none): transmit queue 0 timed out"


def counters() -> Iterable[tuple[str, str, str, Callable[[Path], Activity[Outcome]]]]:
    """Returns the faults that a file shows: step, fault, verdict, and the activity."""
    return [(step, fault, verdict, partial(_counter, file, text)) for step, fault, verdict, file, text in _FAULTS]


def _counter(file: str, text: str, folder: Path) -> Activity[Outcome]:
    """Samples a tree of files twice, one of which says something else by then."""
    for name, content in _WELL.items():
        _write(folder / name, content)
    devices = folder / "sys/bus/pci/devices"
    devices.mkdir(parents=True)
    for device in (_PORT, _CARD):
        (devices / Path(device).name).symlink_to(Path("../../..") / device.removeprefix("sys/"))
    before = evidence.sample(Machine(folder))
    yield Pause(0)
    _write(folder / file, text)
    return _judged(before, evidence.sample(Machine(folder)))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n", encoding="ascii")


def _judged(before: Sample, after: Sample) -> Outcome:
    watch = Watch(_PARTS, profile.LIMITS)
    quiet = watch.look(before, 0)
    return Outcome((*quiet, *watch.look(after, 0.01)))


def bmc_event(_: Path) -> Activity[Outcome]:
    """Reads the BMC's log, and reads it again with an entry more."""
    before = yield from _changed(bmc.collect(), "ipmitool", lambda said: said)
    after = yield from _changed(bmc.collect(), "ipmitool", lambda said: said + _EVENT)
    return _judged(before, after)


def disk_health(_: Path) -> Activity[Outcome]:
    """Reads the health of a disk that says it fails."""
    health = {"smart_status": {"passed": False}}
    sample = yield from _changed(smart.collect({"none": ("/dev/none",)}), "smartctl", lambda _: json.dumps(health))
    return _judged(Sample(), sample)


def disk_self_test(_: Path) -> Activity[Outcome]:
    """Has a disk test itself that finds a failure."""
    answers = iter([_tested(0), "{}", _tested(15 << 4), _tested(7 << 4)])
    return (
        yield from _changed(smart.self_test("/dev/none", "short", Part("a disk"), 10, 0), "", lambda _: next(answers))
    )


def _tested(value: int) -> str:
    status = {"status": {"value": value, "string": "planted"}}
    return json.dumps({"ata_smart_data": {"capabilities": {"self_tests_supported": True}, "self_test": status}})


def kernel_line(_: Path) -> Activity[Outcome]:
    """Writes a line into the kernel's log, and looks for it there."""
    lines = kernel_lines.follow()
    try:
        try:
            descriptor = os.open(kernel_lines.KMSG, os.O_WRONLY | os.O_CLOEXEC)
            os.write(descriptor, f"{_LINE}\n".encode())
            os.close(descriptor)
        except OSError as error:
            raise NotInjectedError(f"the kernel's log cannot be written ({error.strerror})") from error
        yield Pause(0.1)
        said = [line for line in lines.read() if "self-test" in line]
        return Outcome(tuple(Watch(_PARTS, profile.LIMITS).hear(said)))
    finally:
        lines.close()


def _changed(activity: Activity[T], word: str, change: Callable[[str], str]) -> Activity[T]:
    """Runs an activity, with another output of the programs that have a word in their command line."""
    output: Output | None = None
    while True:
        try:
            request = next(activity) if output is None else activity.send(output)
        except StopIteration as end:
            result: T = end.value
            return result
        output = yield request
        if isinstance(request, Program) and (not word or word in request.argv):
            output = Output(0, change(output.stdout if output.status == 0 else ""))
