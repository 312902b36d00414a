"""Processors, memory, BMC, firmware, sensors, the kernel's errors, and Ironic's summary."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from alchemy_node.inventory import bmc, cpus, deadline, facts, firmware, ironic, kernel, memory, sensors
from alchemy_node.machine import Machine
from alchemy_node.processes import Output
from tests.unit.node import files


def thread(index: int, package: int | None, core: int, microcode: str = "0x5003103") -> str:
    place = "" if package is None else f"physical id\t: {package}\n"
    return (
        f"processor\t: {index}\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon\n{place}core id\t\t: {core}\n"
        f"microcode\t: {microcode}\nflags\t\t: fpu lm\n"
    )


def cpuinfo(root: Path, *threads: str, **more: str) -> Machine:
    return files.machine(root, {"/proc/cpuinfo": "\n".join(threads), **more})


SOCKETS = [{"socket": "CPU1", "populated": True, "cores": 2}, {"socket": "CPU2", "populated": False}]


def test_a_socket_of_dmi_and_its_package_in_the_kernel(tmp_path: Path) -> None:
    machine = cpuinfo(tmp_path / "root", thread(0, 0, 0), thread(1, 0, 1), thread(2, 0, 0), thread(3, 0, 1))
    found = cpus.collect(machine, SOCKETS)
    assert found.unknown == ()
    assert found.value.sockets == [
        {
            "socket": "CPU1", "populated": True, "cores": 2, "package": 0, "manufacturer": "GenuineIntel",
            "model": "Xeon", "kernel_cores": 2, "kernel_threads": 4, "microcode": "0x5003103",
        },
        {"socket": "CPU2", "populated": False},
    ]  # fmt: skip
    assert found.value.summary["count"] == 4
    assert found.value.summary["socket_count"] == 1
    assert found.value.summary["flags"] == ["fpu", "lm"]


def test_without_dmi_a_socket_is_a_package(tmp_path: Path) -> None:
    machine = cpuinfo(tmp_path / "root", thread(0, 0, 0), thread(1, 1, 0))
    assert [socket["package"] for socket in cpus.collect(machine, []).value.sockets] == [0, 1]


def test_threads_with_different_microcode(tmp_path: Path) -> None:
    machine = cpuinfo(tmp_path / "root", thread(0, 0, 0, "0x2"), thread(1, 0, 1, "0x1"))
    assert cpus.collect(machine, []).value.sockets[0]["microcode"] == "0x1, 0x2"


def test_a_socket_that_the_kernel_does_not_run_on(tmp_path: Path) -> None:
    both = [{"socket": "CPU1", "populated": True}, {"socket": "CPU2", "populated": True}]
    found = cpus.collect(cpuinfo(tmp_path / "root", thread(0, 0, 0)), both)
    assert found.value.sockets == both
    assert [entry.reason for entry in found.unknown] == ["DMI has 2 populated sockets, the kernel has 1"]


def test_arm_has_its_topology_in_sysfs(tmp_path: Path) -> None:
    topology = {f"/sys/devices/system/cpu/cpu{n}/topology/physical_package_id": str(n * 36) for n in (0, 1)}
    machine = cpuinfo(tmp_path / "root", "processor\t: 0\nFeatures\t: fp aes\n", "processor\t: 1", **topology)
    found = cpus.collect(machine, []).value
    assert [socket["package"] for socket in found.sockets] == [0, 36]
    assert found.summary["flags"] == ["fp", "aes"]


@pytest.mark.parametrize(
    ("meminfo", "dimms", "known"),
    [
        ("MemTotal:       16 kB\n", [{"size": 1024}, {"size": 0}], {"kernel": 16384, "installed": 1024}),
        ("MemTotal:       16 kB\n", [{"size": 1024}, {}], {"kernel": 16384}),
        ("MemTotal:       16 kB\n", [], {"kernel": 16384}),
        ("MemFree:        16 kB\n", [{"size": 0}], {"installed": 0}),
        ("MemTotal:       many kB\n", [], {}),
    ],
)
def test_memory(meminfo: str, dimms: list[Any], known: Any, tmp_path: Path) -> None:
    found = memory.collect(files.machine(tmp_path / "root", {"/proc/meminfo": meminfo}), dimms, None)
    assert found.value == known
    assert bool(found.unknown) == ("kernel" not in known)


LAN = """Set in Progress         : Set Complete
IP Address Source       : DHCP Address
IP Address              : 192.0.2.3
Subnet Mask             : 255.255.255.0
MAC Address             : 02:00:00:00:01:8E
Default Gateway IP      : 192.0.2.254
802.1q VLAN ID          : Disabled
"""
SEL = "SEL Information\nEntries : 12\nFree Space : 15680 bytes\nPercent Used : 2%\nOverflow : false\n"


def ask(root: Path, outputs: Mapping[str, str | Output]) -> facts.Found[bmc.Controller]:
    return bmc.collect(files.machine(root, {"/dev/ipmi0": ""}, outputs=outputs))


def test_a_bmc(tmp_path: Path) -> None:
    outputs = {
        "ipmitool mc info": "Device ID : 32\nFirmware Revision         : 1.71\nIPMI Version : 2.0\n",
        "ipmitool lan print": LAN,
        "ipmitool sel info": SEL,
        "ipmitool lan6 print": "IPv6 Dynamic Address 0:\n    Address:        2001:DB8::7/64\n    Status: active\n",
        "ipmitool sdr": "",
    }
    found = ask(tmp_path / "root", outputs)
    assert found.unknown == ()
    assert found.value.facts == {
        "address": "192.0.2.3", "netmask": "255.255.255.0", "gateway": "192.0.2.254", "address_v6": "2001:db8::7",
        "address_source": "DHCP Address", "mac": "02:00:00:00:01:8e", "firmware": "1.71", "ipmi": "2.0",
        "sel": {"entries": 12, "used_percent": 2, "full": False},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("lan", "absent"),
    [
        ("IP Address : 0.0.0.0\nSubnet Mask : 255.255.255.0", ("address", "netmask")),
        ("Default Gateway IP : 0.0.0.0", ("gateway",)),
        ("MAC Address : 00:00:00:00:00:00", ("mac",)),
        ("MAC Address : not programmed\nIP Address : unknown", ("mac", "address")),
    ],
)  # fmt: skip
def test_what_a_bmc_writes_for_none(lan: str, absent: tuple[str, ...], tmp_path: Path) -> None:
    found = ask(tmp_path / "root", {"ipmitool lan print": lan})
    assert not set(absent) & set(found.value.facts)


@pytest.mark.parametrize(
    ("sel", "log"),
    [
        ("Entries : 512\nPercent Used : 100%\nOverflow : false", {"entries": 512, "used_percent": 100, "full": True}),
        ("Entries : 512\nOverflow : true", {"entries": 512, "full": True}),
        ("Entries : 9\nFree Space : 0 bytes", {"entries": 9, "full": True}),
        ("Entries : 9\nPercent Used : unknown\nOverflow : false", {"entries": 9, "full": False}),
        ("Entries : 9", {"entries": 9}),
        ("Get SEL Info command failed", None),
    ],
)
def test_the_event_log(sel: str, log: Any, tmp_path: Path) -> None:
    assert ask(tmp_path / "root", {"ipmitool sel info": sel}).value.facts.get("sel") == log


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("CPU Temp  | 77 degrees C  | ok", {"name": "CPU Temp", "value": 77.0, "unit": "C", "status": "ok"}),
        ("FAN 1     | 1200 RPM      | cr", {"name": "FAN 1", "value": 1200.0, "unit": "RPM", "status": "critical"}),
        ("VBAT      | -0.5 Volts    | nc", {"name": "VBAT", "value": -0.5, "unit": "V", "status": "warning"}),
        ("PSU 2     | 0x08          | cr", {"name": "PSU 2", "status": "critical"}),
        ("UID Light | 0x00          | ok", None),
        ("CPU2 Temp | no reading    | ns", None),
        ("no columns", None),
    ],
)  # fmt: skip
def test_sensors_of_the_bmc(line: str, read: Any, tmp_path: Path) -> None:
    found = ask(tmp_path / "root", {"ipmitool sdr": line + "\n"}).value.sensors
    assert found == ([{"source": "bmc", **read}] if read else [])


def test_a_slow_bmc_has_the_sensors_that_it_told(tmp_path: Path) -> None:
    cut = Output(None, "CPU1 Temp | 40 degrees C | ok\nCPU2 Temp | 41 degr", "", "timed out after 8 s")
    found = ask(tmp_path / "root", {"ipmitool sdr": cut})
    assert [sensor["name"] for sensor in found.value.sensors] == ["CPU1 Temp"]
    assert facts.Unknown("sensors", "ipmitool sdr", "timed out after 8 s") in found.unknown


def test_a_bmc_that_does_not_answer(tmp_path: Path) -> None:
    busy = Output(1, "", "Get Device ID command failed: Node busy\n", "exit status 1")
    found = ask(tmp_path / "root", {"ipmitool mc info": busy})
    assert (
        facts.Unknown("bmc firmware", "ipmitool mc info", "exit status 1: Get Device ID command failed: Node busy")
        in found.unknown
    )


def test_without_a_bmc_nothing_is_asked(tmp_path: Path) -> None:
    found = bmc.collect(files.machine(tmp_path / "root", outputs={"ipmitool mc info": "Firmware Revision : 1"}))
    assert found.value == bmc.Controller({}, [])
    assert [entry.source for entry in found.unknown] == ["/dev/ipmi0"]


VARIABLE = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


@pytest.mark.parametrize(
    ("given", "known", "unknown"),
    [
        ({}, {"mode": "bios"}, 0),
        ({"/sys/firmware/efi/fw_platform_size": "64"}, {"mode": "uefi"}, 1),
        ({VARIABLE: b"\x06\0\0\0\x01"}, {"mode": "uefi", "secure_boot": True}, 0),
        ({VARIABLE: b"\x06\0\0\0\x00"}, {"mode": "uefi", "secure_boot": False}, 0),
        ({VARIABLE: b"\x06"}, {"mode": "uefi"}, 1),
        ({"/sys/class/tpm/tpm0/tpm_version_major": "2\n"}, {"mode": "bios", "tpm": "2.0"}, 0),
    ],
)
def test_firmware(given: dict[str, str | bytes], known: Any, unknown: int, tmp_path: Path) -> None:
    found = firmware.collect(files.machine(tmp_path / "root", given), {"vendor": "AMI"})
    assert found.value == {"vendor": "AMI", **known}
    assert len(found.unknown) == unknown


@pytest.mark.parametrize(
    ("chip", "read"),
    [
        ({"Core 0": {"temp1_input": 45.5}}, {"name": "chip Core 0", "value": 45.5, "unit": "C"}),
        ({"temp1": {"temp1_max": 90, "temp1_input": -5}}, {"name": "chip temp1", "value": -5.0, "unit": "C"}),
        (
            {"fan2": {"fan2_input": 1200, "fan2_alarm": 1}},
            {"name": "chip fan2", "value": 1200.0, "unit": "RPM", "status": "warning"},
        ),
        ({"in0": {"in0_input": 1.2, "in0_alarm": 0}}, {"name": "chip in0", "value": 1.2, "unit": "V", "status": "ok"}),
        (
            {"t": {"temp1_input": 99, "temp1_crit_alarm": 1.0}},
            {"name": "chip t", "value": 99.0, "unit": "C", "status": "critical"},
        ),
        ({"power1": {"power1_average": 63.0}}, {"name": "chip power1", "value": 63.0, "unit": "W"}),
        ({"temp1": {"temp1_input": "hot"}}, None),
        ({"temp1": {"temp1_input": float("nan")}}, None),
        ({"Adapter": "PCI adapter", "beep_enable": {"beep_enable": 1}}, None),
    ],
)
def test_sensors_of_the_kernel(chip: Any, read: Any, tmp_path: Path) -> None:
    found = sensors.collect(files.machine(tmp_path / "root", outputs={"sensors -j": json.dumps({"chip": chip})}))
    assert found == facts.Found([{"source": "kernel", **read}] if read else [])


@pytest.mark.parametrize(
    ("output", "reasons"),
    [
        pytest.param(Output(1, "{}\n", "No sensors found!\n", "exit status 1"), [], id="a machine without sensors"),
        pytest.param(Output(problem="not installed"), ["not installed"], id="no program"),
        pytest.param(Output(0, '{"chip": {"temp1": {,}}}'), ["unexpected output"], id="no JSON"),
    ],
)
def test_sensors_of_the_kernel_that_stay_unknown(output: Output, reasons: list[str], tmp_path: Path) -> None:
    found = sensors.collect(files.machine(tmp_path / "root", outputs={"sensors -j": output}))
    assert [entry.reason for entry in found.unknown] == reasons


@pytest.mark.parametrize(
    ("log", "errors"),
    [
        ("<3>[    1.50] ata1: failed\n<6>[ 2.0] fine\n<3>[ 9.0] ata1: failed\n",
         [{"level": "err", "seconds": 1.5, "text": "ata1: failed", "count": 2}]),
        ("<2>[ 1.0] a\n<0>b\n", [{"level": "crit", "seconds": 1.0, "text": "a", "count": 1},
                                 {"level": "emerg", "text": "b", "count": 1}]),
        ("<11>[ 1.0] from user space\n", [{"level": "err", "seconds": 1.0, "text": "from user space", "count": 1}]),
        ("<3>[ 1.0] \x1b[31mred\n", [{"level": "err", "seconds": 1.0, "text": "?[31mred", "count": 1}]),
        ("<6>[ 1.0] fine\n", []),
    ],
)  # fmt: skip
def test_errors_of_the_kernel(log: str, errors: Any, tmp_path: Path) -> None:
    found = kernel.collect(files.machine(tmp_path / "root", outputs={"dmesg -r": log}))
    assert found == facts.Found(kernel.Log(errors))


@pytest.mark.parametrize(
    ("line", "microcode"),
    [
        ("<6>[ 1.0] microcode: Updated early from: 0x0800126f\n", "0x800126f"),
        ("<6>[ 1.0] microcode: Current revision: 0x0800126f\n", None),
        ("<14>[ 1.0] microcode: Updated early from: 0x0800126f\n", None),  # a program's
        ("<6>[ 1.0] microcode: Updated early from: 0x0800126f0\n", None),
    ],
)
def test_the_microcode_before_the_kernel_has_loaded_other(line: str, microcode: str | None, tmp_path: Path) -> None:
    found = kernel.collect(files.machine(tmp_path / "root", outputs={"dmesg -r": line}))
    assert found == facts.Found(kernel.Log([], microcode))


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (Output(1, "", "dmesg: not permitted\n", "exit status 1"), "exit status 1: dmesg: not permitted"),
        (Output(0, "[    1.0] without levels\n"), "unexpected output"),
        (Output(0, "".join(f"<3>[ 1.0] {n}\n" for n in range(250))), "50 more messages"),
    ],
)  # fmt: skip
def test_errors_of_the_kernel_that_stay_unknown(output: Output, reason: str, tmp_path: Path) -> None:
    found = kernel.collect(files.machine(tmp_path / "root", outputs={"dmesg -r": output}))
    assert [entry.reason for entry in found.unknown] == [reason]


@pytest.mark.parametrize(
    ("cmdline", "mac"),
    [
        ("quiet BOOTIF=01-02-00-00-00-00-0A net\n", "02:00:00:00:00:0a"),
        ("XBOOTIF=01-02-00-00-00-00-0a", None),
        ("BOOTIF=01-02-00-00-00-00", None),
    ],
)
def test_the_interface_that_booted(cmdline: str, mac: str | None, tmp_path: Path) -> None:
    alchemy: dict[str, Any] = {name: [] for name in ("pci", "nics", "disks")}
    alchemy |= {"system": {}, "memory": {}, "firmware": {"mode": "bios"}}
    machine = files.machine(tmp_path / "root", {"/proc/cmdline": cmdline})
    assert ironic.inventory(machine, alchemy, {"flags": []})["boot"]["pxe_interface"] == mac


def test_a_deadline_shortens_what_is_left_and_then_runs_nothing() -> None:
    given: list[float] = []

    def note(argv: Sequence[str], seconds: float, limit: int) -> Output:
        given.append(seconds)
        return Output(0)

    soon = deadline.within(Machine(programs=note), 2)
    assert soon.run(["a"], seconds=30).problem is None
    assert soon.run(["a"], seconds=0.5).problem is None
    assert given[0] <= 2
    assert given[1] == 0.5
    late = deadline.within(Machine(programs=note), 0)
    assert late.run(["a"]).problem == "not run: the time for all programs is over"
    assert len(given) == 2


@pytest.mark.parametrize(
    ("text", "base", "value"),
    [("32 GB", 10, 32), (" 7\n", 10, 7), ("0x0a", 16, 10), ("ffff", 16, 65535), ("-1", 10, None), ("", 10, None),
     (None, 10, None), ("9" * 30, 10, None), ("\u0663", 10, None), ("0x" + "f" * 17, 16, None)],
)  # fmt: skip
def test_numbers(text: str | None, base: int, value: int | None) -> None:
    assert facts.number(text, base) == value
