"""What a sample takes from the kernel's files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from alchemy_node.burnin import evidence, port_counters, profile, rules, smart
from alchemy_node.burnin.activity import Kind
from alchemy_node.burnin.parts import Parts
from alchemy_node.burnin.sample import Key
from alchemy_node.machine import Machine
from tests import recorded

PORT = "sys/devices/pci0000:00/0000:00:01.0"
CARD = f"{PORT}/0000:01:00.0"

FILES = {
    "sys/devices/system/edac/mc/mc0/dimm0/dimm_label": "CPU0 A1",
    "sys/devices/system/edac/mc/mc0/dimm0/dimm_ce_count": "3",
    "sys/devices/system/edac/mc/mc0/dimm0/dimm_ue_count": "0",
    "sys/devices/system/edac/mc/mc0/dimm1/dimm_label": "",
    "sys/devices/system/edac/mc/mc0/dimm1/dimm_ce_count": "x",
    "sys/devices/system/edac/mc/mc0/dimm1/dimm_ue_count": "1",
    "sys/devices/system/edac/mc/mc0/ce_noinfo_count": "2",
    "proc/interrupts": "     CPU0  CPU1\n  0:  44  0  IO-APIC timer\nTRM:  1  2  Thermal\nMCE:  0  1  Machine check\n",
    "proc/sys/kernel/tainted": "16",
    "sys/devices/system/cpu/cpu0/topology/physical_package_id": "0",
    "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "1",
    "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count": "9",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2000000",
    "sys/devices/system/cpu/cpu1/topology/physical_package_id": "0",
    "sys/devices/system/cpu/cpu1/thermal_throttle/package_throttle_count": "9",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "3000000",
    f"{PORT}/max_link_speed": "16.0 GT/s PCIe",
    f"{PORT}/aer_rootport_total_err_cor": "7",
    f"{PORT}/aer_rootport_total_err_fatal": "0",
    f"{PORT}/max_link_width": "16",
    f"{CARD}/class": "0x020000",
    f"{CARD}/current_link_speed": "8.0 GT/s PCIe",
    f"{CARD}/current_link_width": "4",
    f"{CARD}/max_link_speed": "8.0 GT/s PCIe",
    f"{CARD}/max_link_width": "8",
    f"{CARD}/aer_dev_correctable": "RxErr 2\nBadTLP 1\nTOTAL_ERR_COR 3\n",
    f"{CARD}/aer_dev_fatal": "TOTAL_ERR_FATAL 0\n",
    f"{CARD}/aer_dev_nonfatal": "garbled",
    "sys/class/net/eth0/device/vendor": "0x8086",
    "sys/class/net/eth0/carrier": "1",
    "sys/class/net/eth0/speed": "25000",
    "sys/class/net/eth0/carrier_down_count": "1",
    "sys/class/net/eth0/statistics/rx_crc_errors": "2",
    "sys/class/net/eth0/statistics/rx_errors": "2",
    "sys/class/net/eth0/statistics/rx_dropped": "5",
    "sys/class/net/lo/carrier": "1",
    "sys/class/hwmon/hwmon0/name": "coretemp",
    "sys/class/hwmon/hwmon0/temp1_input": "45500",
    "sys/class/hwmon/hwmon0/temp1_label": "Package id 0",
    "sys/class/hwmon/hwmon0/fan2_input": "4200",
    "sys/class/hwmon/hwmon0/fan3_input": "",
}
LINKS = {"sys/bus/pci/devices/0000:00:01.0": f"/{PORT}", "sys/bus/pci/devices/0000:01:00.0": f"/{CARD}"}


def machine(root: Path, files: Mapping[str, str]) -> Machine:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (root / "sys/bus/pci/devices").mkdir(parents=True, exist_ok=True)
    for name, target in LINKS.items():
        (root / name).symlink_to(Path("../../..") / target.removeprefix("/sys/"))
    return Machine(root)


def test_a_sample(tmp_path: Path) -> None:
    sample = evidence.sample(machine(tmp_path, FILES))
    assert sample.counters == {
        Key("dimm", "CPU0 A1", "corrected"): 3,
        Key("dimm", "CPU0 A1", "uncorrected"): 0,
        Key("dimm", "mc0/dimm1", "uncorrected"): 1,
        Key("dimm", "", "corrected"): 2,
        Key("board", "", "machine_checks"): 1,
        Key("board", "", "thermal_interrupts"): 3,
        Key("board", "", "machine_check_taint"): 1,
        Key("cpu", "0", "throttled"): 9,
        Key("pci", "0000:01:00.0", "correctable"): 3,
        Key("pci", "0000:01:00.0", "fatal"): 0,
        Key("pci", "0000:00:01.0", "below_correctable"): 7,
        Key("pci", "0000:00:01.0", "below_fatal"): 0,
        Key("nic", "eth0", "errors"): 4,
        Key("nic", "eth0", "drops"): 5,
        Key("nic", "eth0", "flaps"): 1,
    }
    assert sample.states == {
        Key("pci", "0000:01:00.0", "link_speed"): "8 of 8",
        Key("pci", "0000:01:00.0", "link_width"): "4 of 8",
        Key("pci", "0000:01:00.0", "class"): "0x020000",
        Key("nic", "eth0", "link"): "up",
        Key("nic", "eth0", "speed"): "25000",
    }
    assert sample.readings == {
        Key("cpu", "0", "clock MHz"): 2500,
        Key("sensor", "coretemp", "temperature Package id 0 C"): 45.5,
        Key("sensor", "coretemp", "fan fan2 rpm"): 4200,
    }
    assert sample.missing == {}


@pytest.mark.parametrize(
    ("path", "state"),
    [
        ("pci0000:00/0000:00:01.0", None),  # a root port: its link is the one to the card
        ("pci0000:00/0000:00:01.0/0000:01:00.0", "4 of 16"),  # the upper port of a switch
        ("pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:04.0", None),  # a lower port of it, with a narrow card
        ("pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:04.0/0000:03:00.0", "4 of 16"),
        ("pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:02.0", None),  # behind Intel's VMD each domain begins anew
        ("pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:02.0/10000:e1:00.0", "4 of 16"),
        ("platform/ahci", None),
    ],
)
def test_a_link_is_judged_at_its_lower_end(tmp_path: Path, path: str, state: str | None) -> None:
    device = tmp_path / "sys/devices" / path
    folders = [device, device.parent]
    for folder, width in zip(folders, ("4", "16"), strict=True):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in (("current_link_width", width), ("max_link_width", "16")):
            (folder / name).write_text(text, encoding="ascii")
    address = "0000:aa:00.0" if device.name == "ahci" else device.name
    (tmp_path / "sys/bus/pci/devices").mkdir(parents=True)
    (tmp_path / "sys/bus/pci/devices" / address).symlink_to(Path("../../../devices") / path)
    states = evidence.sample(Machine(tmp_path)).states
    assert states.get(Key("pci", address, "link_width")) == state


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("NIC statistics:\n     rx_crc_errors_phy: 2\n     rx_symbol_err_phy: 1\n     rx_bytes: 99\n", 3),
        ("     port.rx_crc_errors: 0\n     rx_fcs_filtered: 5\n", 0),
        ("     rx_align_errors: 4\n", 4),
        ("     rx_bytes: 99\n", None),
        ("no stats available\n", None),
        ("     rx_crc_errors: -1\n     rx_crc_errors: x\n", None),
        ("", None),
    ],
)
def test_what_ports_count_by_themselves(text: str, errors: int | None) -> None:
    assert port_counters.parse("eth0", text).counters.get(Key("nic", "eth0", "port_errors")) == errors


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    sample = evidence.sample(Machine(tmp_path))
    assert (sample.counters, sample.states, sample.readings) == ({}, {}, {})
    assert set(sample.missing) == {"edac", "aer"}


@pytest.mark.parametrize(
    ("text", "value"),
    [("3\n", 3), ("-1", -1), ("", None), (None, None), ("0x3", None), ("9" * 30, None), ("1 2", None)],
)
def test_numbers(text: str | None, value: int | None) -> None:
    assert evidence.number(text) == value


@pytest.mark.parametrize("width", ["0", "255", "Unknown", "", "x8"])
def test_a_function_without_a_link_is_not_judged(tmp_path: Path, width: str) -> None:
    files = FILES | {f"{CARD}/current_link_width": width}
    assert Key("pci", "0000:01:00.0", "link_width") not in evidence.sample(machine(tmp_path, files)).states


@pytest.mark.parametrize("name", sorted(path.parent.name for path in recorded.MACHINES.glob("*/files.txt")))
def test_no_recorded_machine_is_called_broken(tmp_path: Path, name: str) -> None:
    sample = evidence.sample(recorded.named(name, tmp_path))
    for recording in (recorded.MACHINES / name / "tools").glob("smartctl -x -j *"):
        if recording.suffix != ".status":
            sample |= smart.sample(recording.name, smart.parse(recording.read_text(encoding="utf-8")))
    standing = list(rules.standing(sample, profile.LIMITS, Parts()))
    assert [finding.message for finding in standing if finding.kind is not Kind.WARNING] == []
    assert [*rules.judge(sample, sample, profile.LIMITS, 1, Parts())] == []
